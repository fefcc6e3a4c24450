/** `npm start`: starts the embedded servers if they are asked for, migrates, and says how to look at the result. */

import type { Config } from '../../config/config.ts';
import { embedded } from '../../config/server-urls.ts';
import type { ExitCode } from '../../common/errors.ts';
import { describeDryRun } from '../text/dry-run.ts';
import type { DryRunEvent } from '../../observe/dry-run-event.ts';
import type { Outcome } from '../../observe/outcome.ts';
import { warmUp } from '../../workers/pool/warm-pool.ts';
import { reportFailures } from '../text/failures.ts';
import type { Output } from '../output.ts';
import { namesSeveral } from '../../config/collection-choice.ts';
import { invoke } from '../../config/invocation.ts';
import { withServers } from '../servers-in-use.ts';
import type { CommandOptions } from './command-options.ts';
import { compareAll } from './comparison.ts';
import { codeOfCopy, listFailed, recorded, reportCopied, uncompared } from './copied.ts';
import { seedIfEmpty } from './seed.ts';
import { readStartOptions, type StartOptions } from './start-options.ts';

/** @throws MigrationError */
export async function start(config: Config, options: CommandOptions): Promise<ExitCode> {
  // What hosts need beside is not loaded where there are none.
  if (config.hosts) {
    const { requireSharable, workTogether } = await import('./together.ts');
    if (!config.dryRun) return await workTogether(config, options, 'copy');
    requireSharable(config);
  }
  const more = await readStartOptions(config);
  if (config.dryRun) return await lookOnly(config, options, more);
  const { outcome, verified } = await withServers(config, options, async (urls) => {
    if (config.mongoUrl.is(embedded) && !namesSeveral(config.mongoCollection)) {
      await seedIfEmpty({ ...config, ...urls }, options);
    }
    const copied = await copy({ ...config, ...urls }, options, more);
    // Before the comparison, so that it is reported even if the comparison fails.
    reportCopied(config, options.output, copied);
    const compared = config.verify
      ? await compareAll({ ...config, ...urls }, options, { leftOut: listFailed(copied) })
      : uncompared;
    return { outcome: copied, verified: compared };
  });
  options.progress.close();
  reportFailures(config, options.output, verified.failures);
  await tellOfEmbedded(config, options.output, outcome);
  return codeOfCopy(config, outcome, verified);
}

async function copy(config: Config, options: CommandOptions, more: StartOptions): Promise<Outcome> {
  // First, because loading the rest takes as long as workers take to start.
  const pools = await warmUp(config);
  try {
    const { migrate } = await import('../../run/job/job.ts');
    return await recorded(config, options, (recorders) =>
      migrate(config, {
        ...more,
        listeners: [...recorders, ...options.listeners],
        signal: options.signal,
        pools,
      }),
    );
  } finally {
    await pools.close();
  }
}

async function lookOnly(config: Config, options: CommandOptions, more: StartOptions): Promise<ExitCode> {
  const { dryRun } = await import('../../run/dry-run.ts');
  const isSeeded = config.mongoUrl.is(embedded);
  const onEvent = (event: DryRunEvent): void => {
    if (config.json) options.output.printJson(event);
    else options.output.print(`${describeDryRun(event)}\n`);
  };
  return await withServers(config, options, (urls) =>
    dryRun({ ...config, ...urls }, { ...more, isSeeded, onEvent, signal: options.signal }),
  );
}

async function tellOfEmbedded(
  config: Pick<Config, 'json' | 'postgresUrl' | 'dataDir'>,
  output: Output,
  { summaries: [first] }: Outcome,
): Promise<void> {
  if (config.json || !config.postgresUrl.is(embedded) || first === undefined) return;
  const { qualifiedName } = await import('../../postgres/connection/relations.ts');
  output.print(
    [
      '',
      `The embedded servers are stopped; their data is in ${config.dataDir}`,
      `Look at it:       ${invoke('servers', `psql -c 'SELECT * FROM ${qualifiedName(first)} LIMIT 5'`)}`,
      `Your own servers: MONGO_URL=mongodb://… POSTGRES_URL=postgres://… ${invoke('start')}`,
      '',
    ].join('\n'),
  );
}
