/** `npm run status`: tells of jobs and runs from the ledger alone, once or again and again. */

import { setTimeout as delay } from 'node:timers/promises';
import { targetOptions, type Config, type TargetConfig } from '../../config/config.ts';
import { UsageError } from '../../common/errors.ts';
import { readJobStatus, type JobStatus } from '../../postgres/ledger/job-status.ts';
import { hasLedger } from '../../postgres/ledger/ledger.ts';
import { readRunStatus, type RunStatus } from '../../postgres/ledger/run-status.ts';
import { readStreamStatus, type StreamStatus } from '../../postgres/ledger/stream-status.ts';
import { withSession, type Session } from '../../postgres/connection/session.ts';
import type { Output } from '../output.ts';
import { describeJob, describeStatus, nextStep, nextStepOfJob } from '../text/status.ts';
import { describeStream, nextStepOfStream } from '../text/stream-status.ts';

/** Often enough to see it move, seldom enough to cost nothing. */
const watchEveryMs = 2_000;

/** Puts the cursor in the upper left corner and clears what is below. */
const clearScreen = '\u001b[H\u001b[J';

type StatusConfig = TargetConfig & Pick<Config, 'all' | 'json' | 'watch'>;

/** @throws MigrationError */
export async function showStatus(config: StatusConfig, output: Output, signal: AbortSignal): Promise<void> {
  const options = { ...targetOptions(config), applicationName: 'mongo2pg status', signal };
  await withSession(options, async (session) => {
    for (;;) {
      let status = await readStatus(session, config.all);
      // Who holds a lock is asked after the rows are read: what has finished between the two seems to have stopped.
      if (!isAtWork(status)) status = await readStatus(session, config.all);
      show(status, config, output);
      if (!config.watch || !isAtWork(status)) return;
      await delay(watchEveryMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || output.isUnread()) return;
    }
  });
}

interface Status {
  readonly jobs: readonly JobStatus[];
  readonly runs: readonly RunStatus[];
  readonly streams: readonly StreamStatus[];
}

/** All of one moment. */
async function readStatus(session: Session, includesReplaced: boolean): Promise<Status> {
  return await session.run(async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      if (!(await hasLedger(client))) {
        throw new UsageError('this database has no ledger: nothing was copied into it', {
          code: 'LEDGER_MISSING',
          fix: 'give POSTGRES_URL the database that the run has loaded.',
        });
      }
      const runs = await readRunStatus(client, includesReplaced);
      const jobs = await readJobStatus(client, runs, includesReplaced);
      return { jobs, runs, streams: await readStreamStatus(client, includesReplaced) };
    } finally {
      await client.query('ROLLBACK');
    }
  });
}

function isAtWork({ jobs, runs, streams }: Status): boolean {
  return (
    [...jobs, ...runs].some(({ state }) => state === 'running') ||
    streams.some(({ state }) => state === 'following')
  );
}

function show(
  { jobs, runs, streams }: Status,
  { json, watch }: Pick<Config, 'json' | 'watch'>,
  output: Output,
): void {
  if (json) {
    const told = {
      jobs: jobs.map((job) => ({ ...job, next: nextStepOfJob(job.state) })),
      runs: runs.map((run) => ({ ...run, next: nextStep(run) })),
      streams: streams.map((stream) => ({ ...stream, next: nextStepOfStream(stream) })),
    };
    output.printJson(told);
    return;
  }
  const isRedrawn = watch && output.stdout.isTTY === true;
  const parts = [...streams.map(describeStream), ...jobs.map(describeJob), ...runs.map(describeStatus)];
  const text = parts.length === 0 ? 'the ledger has no runs' : parts.join('\n\n');
  output.print(`${isRedrawn ? clearScreen : ''}${text}\n${watch && !isRedrawn ? '\n' : ''}`);
}
