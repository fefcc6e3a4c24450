/**
 * The tool as a library: what `mongo2pg` and `mongo2pg verify` do, for a program that brings its own URLs. Nothing is
 * printed; what a command line would show comes as events.
 */

import { readConfig, type Config } from './config/config.ts';
import { embedded } from './config/server-urls.ts';
import { MigrationError, UsageError } from './common/errors.ts';
import type { EventListener, Outcome, RunEvent, VerificationSummary } from './observe/events.ts';
import type { JobListener } from './observe/listeners.ts';
import { migrate as migrateCollections } from './run/job.ts';
import { options, optionNames, type CommandName, type Option, type OptionName } from './config/options.ts';
import { createPool } from './workers/pool/create-pool.ts';

export {
  ExitCode,
  InterruptedError,
  MigrationError,
  SourceError,
  TargetError,
  UsageError,
} from './common/errors.ts';
export { describeEvent } from './observe/describe-event.ts';
export type * from './observe/events.ts';
export type { Plan, PlanColumn } from './transcode/plan.ts';

/** Options that are about a command line, its output and its trial servers. */
type ForCommandLine =
  | 'amountUsers'
  | 'amountUsersSeed'
  | 'dataDir'
  | 'dryRun'
  | 'json'
  | 'metricsHost'
  | 'metricsPort'
  | 'report'
  | 'verify';

type ValueOf<O extends Option> = O extends { kind: 'switch' }
  ? boolean
  : O extends { kind: 'count' }
    ? number
    : O extends { kind: 'choice'; choices: readonly (infer Choice)[] }
      ? Choice
      : string;

type OptionsOf<Command extends CommandName> = {
  [Name in OptionName]: Command extends (typeof options)[Name]['commands'][number] ? Name : never;
}[OptionName];

/** The options of a command by their names in `src/config/options.ts`, such as `mongoUrl` for MONGO_URL. */
type SettingsOf<Command extends CommandName> = {
  readonly [Name in Exclude<OptionsOf<Command>, ForCommandLine>]?: ValueOf<(typeof options)[Name]>;
} & { readonly postgresUrl: string } & ({ readonly mongoUrl: string } | { readonly source: string });

export type MigrateSettings = SettingsOf<'start'>;
export type VerifySettings = SettingsOf<'verify'>;

export interface Listener {
  /** Called for each event, in their order, while the work goes on. What it throws ends the process. */
  readonly onEvent?: (event: RunEvent) => void;
  /** Who else hears of it, in this order and before `onEvent`: metrics, a report, or one of your own. */
  readonly listeners?: readonly EventListener[];
  /** Aborting it ends the work in order: a migration commits what is in flight, and can be continued. */
  readonly signal?: AbortSignal;
}

/**
 * Copies what the settings name; the same call continues a run that was interrupted.
 * @returns a summary for each collection that was copied, and, of several, the failures of the others
 * @throws MigrationError with the exit code that the command would end with, and with the way out in `fix`
 */
export async function migrate(settings: MigrateSettings, listener: Listener = {}): Promise<Outcome> {
  const config = readSettings('start', settings);
  const planFile =
    config.plan === undefined
      ? null
      : await (await import('./plan/file/plan-file.ts')).readPlanFile(config.plan);
  const pool = await createPool(config.clusterImplementation);
  return await migrateCollections(config, { ...hear(listener), isTrial: false, planFile, pool });
}

/**
 * Compares every document with its row.
 * @returns a summary for each collection, in which `missing`, `extra` and `different` count what is not equal
 * @throws MigrationError, but not for differences; of several collections, once the others are compared, of which an
 *   event `verified` each has told
 */
export async function verify(
  settings: VerifySettings,
  listener: Listener = {},
): Promise<VerificationSummary[]> {
  const config = readSettings('verify', settings);
  const { verify: compare } = await import('./run/verify/verify.ts');
  const { summaries, failures } = await compare(config, hear(listener));
  const [failure] = failures;
  if (failure === undefined) return [...summaries];
  const { exitCode, source, message, code, fix } = failure;
  throw new MigrationError(exitCode, `${source}: ${message}`, { code, fix });
}

export interface MetricsListener extends EventListener {
  /** The `content-type` of what `read` gives. */
  readonly contentType: string;
  /** All metrics as they are now, as Prometheus reads them. */
  read(): Promise<string>;
}

/** What METRICS_PORT serves, for a program that has a server of its own. */
export async function createMetrics(): Promise<MetricsListener> {
  const { CollectedMetrics } = await import('./observe/metrics.ts');
  const metrics = new CollectedMetrics();
  return {
    onEvent: (event) => {
      metrics.onEvent(event);
    },
    contentType: metrics.registry.contentType,
    read: () => metrics.registry.metrics(),
  };
}

export interface ReportListener extends EventListener {
  /**
   * The report of the migration that it has listened to, as a page of HTML.
   * @param error what `migrate` has thrown
   */
  write(error?: unknown): string;
}

/** What REPORT writes. */
export async function createReport(): Promise<ReportListener> {
  const [{ Recorder }, { writePage }, { describeEnd }] = await Promise.all([
    import('./observe/report/recorder.ts'),
    import('./observe/report/page.ts'),
    import('./observe/report/write-report.ts'),
  ]);
  const recorder = new Recorder();
  // It hears of workers as well, which is nobody else's business.
  const listener: ReportListener & JobListener = {
    onEvent: (event) => {
      recorder.onEvent(event);
    },
    onRun: (run) => recorder.onRun(run),
    write: (error) => writePage(recorder.report(error === undefined ? null : describeEnd(error))),
  };
  return listener;
}

function hear({ onEvent, listeners = [], signal = new AbortController().signal }: Listener): {
  readonly listeners: readonly EventListener[];
  readonly signal: AbortSignal;
} {
  return { listeners: onEvent === undefined ? listeners : [...listeners, { onEvent }], signal };
}

/** @throws UsageError */
function readSettings(command: CommandName, settings: Readonly<Record<string, unknown>>): Config {
  for (const name of Object.keys(settings)) {
    const option: Option | undefined = optionNames.includes(name as OptionName)
      ? options[name as OptionName]
      : undefined;
    if (option?.commands.includes(command) !== true) {
      throw new UsageError(`there is no setting ${name}`, { code: 'SETTING_UNKNOWN' });
    }
  }
  const source = settings.source === undefined ? 'mongoUrl' : 'source';
  for (const name of [source, 'postgresUrl'] as const) {
    const url = settings[name];
    if (typeof url !== 'string' || url === '') {
      throw new UsageError(`${name} is missing`, { code: 'URL_MISSING' });
    }
    if (url === embedded) {
      throw new UsageError(`${name} must be a URL: only commands have embedded servers`, {
        code: 'EMBEDDED_IN_LIBRARY',
      });
    }
  }
  return readConfig(command, settings, {}, (name) => name);
}
