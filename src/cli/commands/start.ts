/** `npm start`: brings up the embedded servers where they are asked for, migrates, and tells how to look at the result. */

import type { Config } from '../../config/config.ts';
import { embedded } from '../../config/server-urls.ts';
import { trialServers, type EmbeddedServer, type EmbeddedServerOptions } from '../trial-servers.ts';
import { ExitCode } from '../../common/errors.ts';
import { describeDryRun } from '../text/dry-run.ts';
import type { DryRunEvent, ErrorEvent, Failure, Outcome } from '../../observe/events.ts';
import type { JobListener } from '../../observe/listeners.ts';
import { warmUp } from '../../workers/pool/warm-pool.ts';
import type { Progress } from '../progress.ts';
import { describeOutcome, describeSummary, describeUnexpectedAmount } from '../text/summary.ts';
import { formatCount } from '../../common/format.ts';
import type { Output } from '../output.ts';
import { namesSeveral } from '../../config/collection-choice.ts';
import { noUrl, SecretUrl } from '../../config/secret-url.ts';
import { describeVerification } from '../text/verification.ts';
import { isProven } from '../../observe/proof.ts';
import type { Verified } from '../../run/verify/verify.ts';
import { invoke } from '../../config/invocation.ts';
import type { PlanFile } from '../../plan/file/plan-schema.ts';

export interface CommandOptions {
  readonly output: Output;
  readonly progress: Progress;
  /** Whoever hears of the work: `progress` is one of them. */
  readonly listeners: readonly JobListener[];
  /** Aborted with the reason to throw when the user asks to stop. */
  readonly signal: AbortSignal;
}

/** @throws MigrationError */
export async function start(config: Config, options: CommandOptions): Promise<ExitCode> {
  // First of all: what is wrong in a plan is told before a server is started.
  const planFile = await openPlanFile(config);
  await checkReportPlace(config);
  const isTrial = config.mongoUrl.is(embedded) && config.postgresUrl.is(embedded);
  if (config.dryRun) return await lookOnly(config, options, { planFile, isTrial });
  const { outcome, verified } = await withServers(config, options, async (urls) => {
    if (config.mongoUrl.is(embedded) && !namesSeveral(config.mongoCollection)) {
      await seedIfEmpty({ ...config, ...urls }, options);
    }
    const copied = await copy({ ...config, ...urls }, options, { planFile, isTrial });
    // At once: whatever the comparison meets, what was copied is told.
    reportCopied(config, options.output, copied);
    return {
      outcome: copied,
      verified: config.verify ? await compareCopied({ ...config, ...urls }, options, copied) : nothing,
    };
  });
  options.progress.close();
  reportFailures(config, options.output, verified.failures);
  await tellOfEmbedded(config, options.output, outcome);
  const [failure] = [...outcome.failures, ...verified.failures];
  if (failure !== undefined) return failure.exitCode;
  if (!verified.summaries.every(isProven)) return ExitCode.different;
  const all = [...outcome.summaries, ...outcome.copiedBefore];
  const isAllCopied = all.every(({ deadLettered }) => deadLettered === 0);
  return isAllCopied ? ExitCode.ok : ExitCode.deadLetters;
}

const nothing: Verified = { summaries: [], failures: [] };

/** What has failed is left out: the ledger may know an older run of it, which is not what was asked for. */
async function compareCopied(
  config: Config,
  options: CommandOptions,
  { failures }: Outcome,
): Promise<Verified> {
  return await compareAll(config, options, new Set(failures.map(({ source }) => source)));
}

async function copy(
  config: Config,
  options: CommandOptions,
  more: { readonly planFile: PlanFile | null; readonly isTrial: boolean },
): Promise<Outcome> {
  // Before anything else is loaded, which takes as long as workers take to come up.
  const pool = await warmUp(config);
  try {
    const { migrate } = await import('../../run/job.ts');
    return await recorded(config, options, (recorders) =>
      migrate(config, {
        ...more,
        listeners: [...recorders, ...options.listeners],
        signal: options.signal,
        pool,
      }),
    );
  } finally {
    await pool.close();
  }
}

async function lookOnly(
  config: Config,
  options: CommandOptions,
  more: { readonly planFile: PlanFile | null; readonly isTrial: boolean },
): Promise<ExitCode> {
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

/** `npm run verify`. @throws MigrationError */
export async function verify(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { summaries, failures } = await withServers(config, options, (urls) =>
    compareAll({ ...config, ...urls }, options),
  );
  options.progress.close();
  reportFailures(config, options.output, failures);
  // That something differs is known for certain, whatever else could not be compared.
  const isDifferent =
    !summaries.every(isProven) || failures.some(({ exitCode }) => exitCode === ExitCode.different);
  return isDifferent ? ExitCode.different : (failures[0]?.exitCode ?? ExitCode.ok);
}

/** Tells of each collection as soon as it is compared: what comes after may take hours, or fail. */
async function compareAll(
  config: Config,
  { output, listeners, signal }: CommandOptions,
  leftOut: ReadonlySet<string> = new Set(),
): Promise<Verified> {
  // Loads the driver, which `start` loads only once its workers come up.
  const { verify: compare } = await import('../../run/verify/verify.ts');
  const printer: JobListener = {
    onEvent: (event) => {
      if (event.kind === 'verified' && !config.json) output.print(`\n${describeVerification(event)}\n`);
    },
  };
  return await compare(config, { listeners: [...listeners, printer], signal, leftOut });
}

function reportFailures({ json }: Pick<Config, 'json'>, output: Output, failures: readonly Failure[]): void {
  for (const failure of failures) {
    const { source, message, fix } = failure;
    if (json) output.printJson({ kind: 'error', ...failure } satisfies ErrorEvent);
    output.say(`error: ${source}: ${message}${fix === '' ? '' : ` — ${fix}`}`);
  }
}

async function checkReportPlace({ report }: Pick<Config, 'report'>): Promise<void> {
  if (report === undefined) return;
  const { requireReportPlace } = await import('../../observe/report/report-place.ts');
  await requireReportPlace(report);
}

/** With a report at its end where one is asked for; what makes it is not loaded otherwise. */
async function recorded(
  { report }: Pick<Config, 'report'>,
  { progress }: CommandOptions,
  work: (recorders: readonly JobListener[]) => Promise<Outcome>,
): Promise<Outcome> {
  if (report === undefined) return await work([]);
  const { withReport } = await import('../../observe/report/write-report.ts');
  return await withReport(report, progress.say, (recorder) => work([recorder]));
}

/** `npm run seed`. @throws MigrationError */
export async function seed(config: Config, options: CommandOptions): Promise<ExitCode> {
  // On the trial server the users of an earlier seed are in the way of nobody.
  const ifExists = config.ifExists ?? (config.mongoUrl.is(embedded) ? 'drop' : 'fail');
  await withServers({ ...config, postgresUrl: noUrl }, options, async ({ mongoUrl }) => {
    const { live } = config;
    if (live === undefined) await fill({ ...config, mongoUrl }, ifExists, options);
    else await changeLive({ ...config, mongoUrl, live }, options);
  });
  return ExitCode.ok;
}

/** `npm run status`. @throws MigrationError */
export async function status(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { showStatus } = await import('./status.ts');
  await withServers({ ...config, mongoUrl: noUrl }, options, ({ postgresUrl }) =>
    showStatus({ ...config, postgresUrl }, options.output, options.signal),
  );
  return ExitCode.ok;
}

/** `npm run retry`. @throws MigrationError */
export async function retry(config: Config, options: CommandOptions): Promise<ExitCode> {
  const { retryDeadLetters } = await import('./retry.ts');
  return await withServers({ ...config, mongoUrl: noUrl }, options, ({ postgresUrl }) =>
    retryDeadLetters({ ...config, postgresUrl }, { say: options.progress.say, signal: options.signal }),
  );
}

/** Loaded only where there is a plan: what checks it takes as long to load as a worker takes to start. */
async function openPlanFile({ plan }: Pick<Config, 'plan'>): Promise<PlanFile | null> {
  if (plan === undefined) return null;
  const { readPlanFile } = await import('../../plan/file/plan-file.ts');
  return await readPlanFile(plan);
}

export type Urls = Pick<Config, 'mongoUrl' | 'postgresUrl'>;

/** Runs `use` with the URLs of running servers; the embedded ones among them are stopped in any case. */
export async function withServers<T>(
  { mongoUrl, postgresUrl, dataDir }: Urls & Pick<Config, 'dataDir'>,
  { progress, signal }: CommandOptions,
  use: (urls: Urls) => Promise<T>,
): Promise<T> {
  const servers: EmbeddedServer[] = [];
  const start = async (kind: 'Mongo' | 'Postgres', name: string): Promise<SecretUrl> => {
    signal.throwIfAborted();
    progress.say(`starting the embedded ${name} in ${dataDir}`);
    const options: EmbeddedServerOptions = { dataDir, role: 'run', onNotice: progress.say };
    // Not loaded at all when both servers are the user's own.
    const { startEmbeddedMongo, startEmbeddedPostgres } = await trialServers.servers();
    const server = await (kind === 'Mongo' ? startEmbeddedMongo(options) : startEmbeddedPostgres(options));
    servers.push(server);
    return new SecretUrl(server.url);
  };
  // Before anything is started, and a folder made for it.
  if (postgresUrl.is(embedded)) await (await trialServers.postgresBinaries()).findPackage();
  try {
    return await use({
      mongoUrl: mongoUrl.is(embedded) ? await start('Mongo', 'MongoDB (for trying out)') : mongoUrl,
      postgresUrl: postgresUrl.is(embedded) ? await start('Postgres', 'PostgreSQL') : postgresUrl,
    });
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

type SeedConfig = Pick<Config, 'mongoUrl' | 'mongoDb' | 'mongoCollection' | 'amountUsersSeed'>;

export async function seedIfEmpty(config: SeedConfig, options: CommandOptions): Promise<void> {
  const { mongoUrl, mongoDb: db, mongoCollection: collection } = config;
  const url = mongoUrl.reveal();
  const { isCollectionEmpty } = await import('../../source/mongo/is-collection-empty.ts');
  if (await isCollectionEmpty({ url, db, collection })) await fill(config, 'fail', options);
}

async function fill(
  { mongoUrl, mongoDb: db, mongoCollection: collection, amountUsersSeed: amount }: SeedConfig,
  ifExists: NonNullable<Config['ifExists']>,
  { progress }: CommandOptions,
): Promise<void> {
  const { seedUsers } = await import('./seed.ts');
  const target = `${db}.${collection}`;
  progress.say(`seeding ${target} with ${formatCount(amount)} users`);
  const startedMs = performance.now();
  const inserted = await seedUsers({ url: mongoUrl.reveal(), db, collection, amount, ifExists });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  progress.say(`${target}: ${formatCount(inserted)} users inserted in ${seconds} s`);
}

async function changeLive(
  config: Pick<Config, 'mongoUrl' | 'mongoDb' | 'mongoCollection' | 'rate'> & { readonly live: number },
  { progress, signal }: CommandOptions,
): Promise<void> {
  const { changeUsers } = await import('./live-seed.ts');
  await changeUsers({
    ...{ url: config.mongoUrl.reveal(), db: config.mongoDb, collection: config.mongoCollection },
    ...{ seconds: config.live, rate: config.rate, signal, say: progress.say },
  });
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
  // The JSON lines end with the same account.
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
