/** `npm run status`: shows jobs and runs from the ledger, once or repeatedly. */

import { setTimeout as delay } from 'node:timers/promises';
import { targetOptions, type Config, type TargetConfig } from '../../config/config.ts';
import { noUrl } from '../../config/secret-url.ts';
import { ExitCode } from '../../common/errors.ts';
import type { Status } from '../../observe/status.ts';
import { isAtWork, readStatus } from '../../postgres/ledger/status.ts';
import { listPromotable, type Promotable } from '../../run/promote/suggest.ts';
import { withSession } from '../../postgres/connection/session.ts';
import type { Output } from '../output.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';
import { describeHost, describeSharedWork } from '../text/host-status.ts';
import { describeJob, describeStatus, nextStep, nextStepOfJob } from '../text/status.ts';
import { describeStream, nextStepOfStream } from '../text/stream-status.ts';

/** Often enough to see progress, seldom enough to cost nothing. */
const watchEveryMs = 2_000;

/** Moves the cursor to the upper left corner and clears the screen below. */
const clearScreen = '\u001b[H\u001b[J';

type StatusConfig = TargetConfig & Pick<Config, 'all' | 'json' | 'watch'>;

/** @throws MigrationError */
export async function status(config: Config, options: CommandOptions): Promise<ExitCode> {
  await withServers({ ...config, mongoUrl: noUrl }, options, ({ postgresUrl }) =>
    showStatus({ ...config, postgresUrl }, options.output, options.signal),
  );
  return ExitCode.ok;
}

async function showStatus(config: StatusConfig, output: Output, signal: AbortSignal): Promise<void> {
  const options = { ...targetOptions(config), applicationName: 'mongo2pg status', signal };
  await withSession(options, async (session) => {
    for (;;) {
      const status = await readStatus(session, config.all);
      // Sampling each table is too expensive to repeat every two seconds.
      const promotable = config.watch ? noneIsPromotable : await listPromotable(session, status);
      show(status, promotable, config, output);
      if (!config.watch || !isAtWork(status)) return;
      await delay(watchEveryMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || output.isUnread()) return;
    }
  });
}

const noneIsPromotable: Promotable = new Map();

function show(
  { jobs, runs, streams, hosts, sharedWork }: Status,
  promotable: Promotable,
  { json, watch }: Pick<Config, 'json' | 'watch'>,
  output: Output,
): void {
  if (json) {
    const status = {
      jobs: jobs.map((job) => ({ ...job, next: nextStepOfJob(job.state) })),
      runs: runs.map((run) => {
        return { ...run, promotable: promotable.get(run.runId) ?? [], next: nextStep(run) };
      }),
      streams: streams.map((stream) => ({ ...stream, next: nextStepOfStream(stream) })),
      hosts,
      sharedWork,
    };
    output.printJson(status);
    return;
  }
  const isRedrawn = watch && output.stdout.isTTY === true;
  const parts = [
    ...streams.map(describeStream),
    ...hosts.map(describeHost),
    ...sharedWork.map(describeSharedWork),
    ...jobs.map(describeJob),
    ...runs.map((run) => describeStatus(run, promotable.get(run.runId))),
  ];
  const text = parts.length === 0 ? 'the ledger has no runs' : parts.join('\n\n');
  output.print(`${isRedrawn ? clearScreen : ''}${text}\n${watch && !isRedrawn ? '\n' : ''}`);
}
