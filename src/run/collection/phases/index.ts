/** The second phase of a run: builds keys and indexes, and checks that all accounts balance. */

import type { RunEvent } from '../../../observe/events.ts';
import type { IndexAccount } from '../../../observe/summary.ts';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import type { Phase } from './phase.ts';
import type { BuildOptions } from '../../../postgres/table/build-indexes.ts';
import { finishTable } from '../../../postgres/table/finish-table.ts';
import { requireLeadership } from '../../../postgres/ledger/leadership.ts';
import type { IndexPhaseAccount } from '../../../observe/status.ts';
import { finishIndexes } from '../../../postgres/ledger/phases.ts';
import type { OpenRun } from '../../../postgres/table/run-opening.ts';
import type { KeyCounts } from '../../../postgres/table/primary-key.ts';
import type { Session } from '../../../postgres/connection/session.ts';
import type { IndexSpec } from '../../../source/index-spec.ts';

export interface IndexPhaseOptions extends Omit<BuildOptions, 'onIndex'> {
  readonly session: Session;
  /** The collection's indexes that are to be carried over. */
  readonly specs: readonly IndexSpec[];
  readonly onEvent: (event: RunEvent) => void;
  /** Called when everything is built, before the run is marked as finished. @throws if it must not be */
  readonly requireBalance: (indexes: readonly IndexAccount[], counts: KeyCounts) => Promise<void>;
}

export class IndexPhase implements Phase<IndexPhaseAccount> {
  readonly #run: OpenRun;
  readonly #options: IndexPhaseOptions;
  isDone = false;

  constructor(run: OpenRun, options: IndexPhaseOptions) {
    this.#run = run;
    this.#options = options;
  }

  async execute(): Promise<IndexPhaseAccount> {
    const { session, specs, onEvent, requireBalance, ...options } = this.#options;
    const run = this.#run;
    const { source } = run.settings;
    onEvent({ kind: 'finishing', source });
    await reachFailpoint('primary-in-index-build');
    await session.run((client) => requireLeadership(client, run));
    const { indexes, counts } = await finishTable(session, run, specs, {
      ...options,
      onIndex: (account) => {
        onEvent({ kind: 'index', source, ...account });
      },
    });
    await requireBalance(indexes, counts);
    await reachFailpoint('primary-before-finish');
    const count = (outcome: IndexAccount['outcome']): number =>
      indexes.filter((index) => index.outcome === outcome).length;
    const account = { built: count('built'), present: count('present'), left: count('left') };
    await session.run((client) => finishIndexes(client, run, account));
    await reachFailpoint('primary-after-finish');
    this.isDone = true;
    return account;
  }
}
