/** The settings of a run for workers, for tests in which their values do not matter. */

import type { WorkerSettings } from '../../src/postgres/worker-settings.ts';

export const someSettings: WorkerSettings = {
  postgresUrl: '',
  purpose: 'load',
  runId: '1',
  retryLimitMs: 0,
  answerTimeoutMs: 0,
  plan: { collection: 'c', schema: 's', table: 't', columns: [], extraColumn: '_extra' },
};
