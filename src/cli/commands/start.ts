/** `npm start`: starts the embedded servers if they are asked for, migrates, and says how to look at the result. */

import type { Config } from '../../config/config.ts';
import { embedded } from '../../config/server-urls.ts';
import { ExitCode, UsageError } from '../../common/errors.ts';
import { describeDryRun } from '../text/dry-run.ts';
import type { DryRunEvent } from '../../observe/dry-run-event.ts';
import type { Outcome } from '../../observe/outcome.ts';
import type { JobListener } from '../../observe/listeners.ts';
import { warmUp } from '../../workers/pool/warm-pool.ts';
import { describeOutcome, describeSummary, describeUnexpectedAmount } from '../text/summary.ts';
import { reportFailures } from '../text/failures.ts';
import type { Output } from '../output.ts';
import { namesSeveral } from '../../config/collection-choice.ts';
import { isProven } from '../../observe/proof.ts';
import type { HostJobOptions, LeaderWork } from '../../run/hosts/host-job.ts';
import type { MigrateOptions } from '../../run/job/options.ts';
import type { Verified } from '../../run/verify/verify.ts';
import { invoke } from '../../config/invocation.ts';
import type { PlanFile } from '../../plan/file/plan-schema.ts';
import { withServers } from '../servers-in-use.ts';
import { chooseTransform } from '../../plan/choose-transform.ts';
import type { TransformFile } from '../../transcode/plan.ts';
import type { CommandOptions } from './command-options.ts';
import { seedIfEmpty } from './seed.ts';
import { compareAll } from './verify.ts';

/** What a start needs beside its settings. */
interface StartOptions {
  readonly planFile: PlanFile | null;
  readonly transform: TransformFile | null;
  readonly isTrial: boolean;
}

type OnCopied = HostJobOptions['onCopied'];

interface CopyOptions extends StartOptions {
  readonly role: StartRole;
  /** See `HostJobOptions`. */
  readonly onCopied: OnCopied;
}

/** @throws MigrationError */
export async function start(config: Config, options: CommandOptions): Promise<ExitCode> {
  return await startAs(config, options, config.hosts ? 'begins' : 'alone');
}

/** How a process copies: alone, or with other hosts; a host that `joins` begins nothing. */
export type StartRole = 'alone' | 'begins' | 'joins';

/** @throws MigrationError */
export async function startAs(config: Config, options: CommandOptions, role: StartRole): Promise<ExitCode> {
  if (role !== 'alone') requireSharable(config);
  // First, so that a mistake in a plan is reported before a server is started.
  const planFile = await openPlanFile(config);
  const transform = await chooseTransform(config, planFile);
  await checkScripts(config);
  await checkReportPlace(config);
  const isTrial = config.mongoUrl.is(embedded) && config.postgresUrl.is(embedded);
  if (config.dryRun) return await lookOnly(config, options, { planFile, transform, isTrial });
  const { outcome, verified } = await withServers(config, options, async (urls) => {
    if (config.mongoUrl.is(embedded) && !namesSeveral(config.mongoCollection)) {
      await seedIfEmpty({ ...config, ...urls }, options);
    }
    let byHosts: Verified | undefined;
    const onCopied: OnCopied = async (copied, leader) => {
      reportCopied(config, options.output, copied);
      if (config.verify) byHosts = await compareTogether(options, copied, leader);
      return byHosts?.failures ?? [];
    };
    const more = { planFile, transform, isTrial, role, onCopied };
    const copied = await copy({ ...config, ...urls }, options, more);
    if (role !== 'alone') return { outcome: copied, verified: byHosts ?? nothing };
    // Before the comparison, so that it is reported even if the comparison fails.
    reportCopied(config, options.output, copied);
    const verified = config.verify
      ? await compareAll({ ...config, ...urls }, options, { leftOut: listFailed(copied) })
      : nothing;
    return { outcome: copied, verified };
  });
  options.progress.close();
  reportFailures(config, options.output, verified.failures);
  await tellOfEmbedded(config, options.output, outcome);
  const [failure] = [...outcome.failures, ...verified.failures];
  if (failure !== undefined) return failure.exitCode;
  if (!verified.summaries.every(isProven)) return ExitCode.different;
  // Those of the copy may be gone; the cutover that has ended following has counted what is left.
  if (config.follow) return ExitCode.ok;
  const all = [...outcome.summaries, ...outcome.copiedBefore];
  const isAllCopied = all.every(({ deadLettered }) => deadLettered === 0);
  return isAllCopied ? ExitCode.ok : ExitCode.deadLetters;
}

const nothing: Verified = { summaries: [], failures: [] };

/** The ledger may have an older run of them, which is not the one to compare. */
function listFailed({ failures }: Outcome): ReadonlySet<string> {
  return new Set(failures.map(({ source }) => source));
}

/** For the leader: all hosts compare. */
async function compareTogether(
  options: CommandOptions,
  copied: Outcome,
  { config, signal, ...shared }: LeaderWork,
): Promise<Verified> {
  return await compareAll(config, { ...options, signal }, { leftOut: listFailed(copied), shared });
}

async function copy(
  config: Config,
  options: CommandOptions,
  { role, onCopied, ...more }: CopyOptions,
): Promise<Outcome> {
  // First, because loading the rest takes as long as workers take to start.
  const pools = await warmUp(config);
  try {
    const migrate = await loadMigrate(role, onCopied);
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

type Migrate = (config: Config, options: MigrateOptions) => Promise<Outcome>;

/** What hosts need beside is not loaded where there are none. */
async function loadMigrate(role: StartRole, onCopied: OnCopied): Promise<Migrate> {
  if (role === 'alone') return (await import('../../run/job/job.ts')).migrate;
  const { copyTogether } = await import('../../run/hosts/host-job.ts');
  return (config, options) => copyTogether(config, { ...options, onCopied }, role === 'begins');
}

/** @throws UsageError for what several hosts cannot do together */
function requireSharable({ mongoUrl, postgresUrl, source, follow }: Config): void {
  if (follow) {
    throw new UsageError('several hosts cannot follow changes', {
      code: 'HOSTS_FOLLOW',
      fix: 'leave out --hosts: one host follows; or leave out --follow.',
    });
  }
  if (source !== undefined) {
    throw new UsageError('several hosts cannot read a dump', {
      code: 'HOSTS_DUMP',
      fix: 'leave out --hosts: one host reads it.',
    });
  }
  if (mongoUrl.is(embedded) || postgresUrl.is(embedded)) {
    throw new UsageError(
      'several hosts cannot use embedded servers, which listen on their own machine only',
      {
        code: 'HOSTS_EMBEDDED',
        fix: 'set MONGO_URL and POSTGRES_URL to servers that all hosts reach.',
      },
    );
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

async function checkScripts(config: Pick<Config, 'beforeSql' | 'afterSql'>): Promise<void> {
  if ((config.beforeSql ?? config.afterSql) === undefined) return;
  const { readScripts } = await import('../../run/job/scripts.ts');
  await readScripts(config);
}

async function checkReportPlace({ report }: Pick<Config, 'report'>): Promise<void> {
  if (report === undefined) return;
  const { requireReportPlace } = await import('../../observe/report/report-place.ts');
  await requireReportPlace(report);
}

/** Runs `work`, and writes a report if one is asked for; its code is loaded only then. */
async function recorded(
  { report }: Pick<Config, 'report'>,
  { progress }: CommandOptions,
  work: (recorders: readonly JobListener[]) => Promise<Outcome>,
): Promise<Outcome> {
  if (report === undefined) return await work([]);
  const { withReport } = await import('../../observe/report/write-report.ts');
  return await withReport(report, progress.say, (recorder) => work([recorder]));
}

/** Loaded only if there is a plan: the code that checks it takes as long to load as a worker takes to start. */
async function openPlanFile({ plan }: Pick<Config, 'plan'>): Promise<PlanFile | null> {
  if (plan === undefined) return null;
  const { readPlanFile } = await import('../../plan/file/plan-file.ts');
  return await readPlanFile(plan);
}

function reportCopied(
  config: Pick<Config, 'json' | 'amountUsers' | 'mongoCollection'>,
  output: Output,
  outcome: Outcome,
): void {
  const { summaries, failures } = outcome;
  const [first] = summaries;
  if (summaries.length === 1 && first !== undefined) {
    const warning = describeUnexpectedAmount(config.amountUsers, first.read);
    if (warning !== null) output.say(`warning: ${warning}`);
  }
  reportFailures(config, output, failures);
  // The events already have the summaries.
  if (config.json) return;
  for (const summary of summaries) output.print(`\n${describeSummary(summary)}\n`);
  if (namesSeveral(config.mongoCollection)) {
    output.print(`\n${describeOutcome(outcome)}\n`);
  }
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
