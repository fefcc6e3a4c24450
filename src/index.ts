/**
 * The tool as a library: a function for each command. Nothing is printed; the caller gets events instead. The URLs are
 * always the caller's own.
 */

import { targetOptions, type Config } from './config/config.ts';
import {
  readSettings,
  type CutoverSettings,
  type FollowSettings,
  type MigrateSettings,
  type PromoteSettings,
  type RepairSettings,
  type StatusSettings,
  type TuneSettings,
  type VerifySettings,
} from './config/library-settings.ts';
import { MigrationError } from './common/errors.ts';
import type { EventListener, RunEvent } from './observe/events.ts';
import type { CutoverOutcome, Outcome } from './observe/outcome.ts';
import type { VerificationSummary } from './observe/verification-summary.ts';
import type { JobListener } from './observe/listeners.ts';
import { withSession } from './postgres/connection/session.ts';
import type { Status } from './observe/status.ts';
import type { PaceRow } from './observe/pace.ts';
import type { PromotionSummary } from './observe/promotion.ts';
import { migrate as migrateCollections } from './run/job/job.ts';
import { chooseTransform } from './plan/choose-transform.ts';
import { createPools } from './workers/pool/create-pool.ts';

export {
  ExitCode,
  InterruptedError,
  MigrationError,
  SourceError,
  TargetError,
  UsageError,
} from './common/errors.ts';
export type {
  CutoverSettings,
  FollowSettings,
  MigrateSettings,
  PromoteSettings,
  RepairSettings,
  StatusSettings,
  TuneSettings,
  VerifySettings,
} from './config/library-settings.ts';
export { describeEvent } from './observe/describe-event.ts';
export type * from './observe/events.ts';
export type * from './observe/dry-run-event.ts';
export type * from './observe/follow-events.ts';
export type * from './observe/outcome.ts';
export type * from './observe/status.ts';
export type * from './observe/promotion.ts';
export type { PaceRow } from './observe/pace.ts';
export type * from './observe/summary.ts';
export type * from './observe/verification-summary.ts';
export type {
  FieldChange,
  GeneratedColumn,
  Plan,
  PlanColumn,
  TransformFile,
  ValueChange,
} from './transcode/plan.ts';
export type {
  BsonClasses,
  MigrationTransform,
  TransformContext,
} from './transcode/transform/migration-transform.ts';

export interface Listener {
  /** Called for each event, in order, during the work. If it throws, the process ends. */
  readonly onEvent?: (event: RunEvent) => void;
  /** More listeners, called in this order before `onEvent`: metrics, a report, or one of your own. */
  readonly listeners?: readonly EventListener[];
  /** Aborting it ends the work gracefully: a migration commits the batches in flight, and can be resumed. */
  readonly signal?: AbortSignal;
}

/**
 * Copies the collections that the settings name. The same call resumes a run that was interrupted.
 * @returns a summary for each collection that was copied, and, of several, the failures of the others
 * @throws MigrationError; `exitCode` is that of the command, `fix` says what to do
 */
export async function migrate(settings: MigrateSettings, listener: Listener = {}): Promise<Outcome> {
  return await start(readSettings('start', settings), listener);
}

/**
 * Copies the collections that the settings name, and keeps the tables in step with them until `cutover`, which may be called
 * in another process. The same call resumes after any interruption. Events of `kind` `following` report the state about once
 * a second.
 * @returns after the cutover, what `migrate` returns; if no collection is left to follow, the collections as `failures`
 * @throws MigrationError, or the reason of the signal
 */
export async function follow(settings: FollowSettings, listener: Listener = {}): Promise<Outcome> {
  return await start({ ...readSettings('start', settings), follow: true }, listener);
}

/**
 * Ends following once writes have stopped: waits for the last change, compares everything, and makes `follow` return. With
 * `check`, it only reports whether that is possible, and changes nothing. `follow` may run in another process.
 * @throws MigrationError with the `exitCode` `notReady`, `different` or `deadLetters` if it is not possible; following
 *   continues then
 */
export async function cutover(settings: CutoverSettings, listener: Listener = {}): Promise<CutoverOutcome> {
  const config = readSettings('cutover', settings);
  const { cutover: cutOver } = await import('./run/follow/cutover/cutover-job.ts');
  return await cutOver(config, hear(listener));
}

/**
 * Restarts following after its history was lost, or for tables that were never followed: compares everything, and makes the
 * next call of `follow` copy only what differs. Nothing may follow these collections meanwhile.
 * @returns a comparison for each collection: `missing` and `different` are copied again, `extra` rows are deleted
 * @throws MigrationError
 */
export async function repair(
  settings: RepairSettings,
  listener: Listener = {},
): Promise<VerificationSummary[]> {
  const config = readSettings('repair', settings);
  const { repair: repairAll } = await import('./run/follow/repair.ts');
  return [...(await repairAll(config, hear(listener)))];
}

/**
 * Reads jobs, runs and streams from the ledger, active or not. Connects to PostgreSQL only. `obstacles` of a stream are the
 * reasons why it cannot be cut over; if there are none, it can.
 * @throws MigrationError
 */
export async function status(
  settings: StatusSettings,
  { signal = new AbortController().signal }: Pick<Listener, 'signal'> = {},
): Promise<Status> {
  const config = readSettings('status', settings);
  const { readStatus } = await import('./postgres/ledger/status.ts');
  const session = { ...targetOptions(config), applicationName: 'mongo2pg status', signal };
  return await withSession(session, (opened) => readStatus(opened, config.all));
}

/**
 * Changes how fast the processes that load into this PostgreSQL read their sources, to `maxRate` and `loadLevel`. If neither
 * is set, it changes nothing.
 * @returns a row for each process; `isTaken` if it has applied the change
 * @throws MigrationError if no process is running
 */
export async function tune(
  settings: TuneSettings,
  { signal = new AbortController().signal }: Pick<Listener, 'signal'> = {},
): Promise<PaceRow[]> {
  const config = readSettings('tune', settings);
  const { tune: tuneAll } = await import('./run/pace/tune.ts');
  return await tuneAll(config, signal);
}

/**
 * Moves a field of a finished run from the overflow column to a column of its own. Values that do not fit stay in the
 * overflow column. The same call resumes after any interruption. Nothing may load the table or follow its collection
 * meanwhile.
 * @returns how many values are in the column, and in `left` how many stay, by BSON type
 * @throws MigrationError
 */
export async function promote(
  settings: PromoteSettings,
  { signal = new AbortController().signal }: Pick<Listener, 'signal'> = {},
): Promise<PromotionSummary> {
  const config = readSettings('promote', settings);
  const { promote: promoteField } = await import('./run/promote/promote.ts');
  return await promoteField(config, { say: () => undefined, signal });
}

/**
 * Compares every document with its row.
 * @returns a summary for each collection; `missing`, `extra` and `different` count what is not equal
 * @throws MigrationError, but not for differences. If one of several collections fails, it is thrown after the others are
 *   compared; their results came as events `verified`
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
  /** The `content-type` of the text that `read` returns. */
  readonly contentType: string;
  /** All metrics as they are now, in the text format of Prometheus. */
  read(): Promise<string>;
}

/** The metrics that METRICS_PORT serves, for a program with a server of its own. */
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
   * The report of the migration whose events it has received, as an HTML page.
   * @param error what `migrate` has thrown
   */
  write(error?: unknown): string;
}

/** The report that REPORT writes. */
export async function createReport(): Promise<ReportListener> {
  const [{ Recorder }, { writePage }, { describeEnd }] = await Promise.all([
    import('./observe/report/recorder.ts'),
    import('./observe/report/page.ts'),
    import('./observe/report/write-report.ts'),
  ]);
  const recorder = new Recorder();
  // It also receives the internal events of workers, which are not part of the public API.
  const listener: ReportListener & JobListener = {
    onEvent: (event) => {
      recorder.onEvent(event);
    },
    onRun: (run) => recorder.onRun(run),
    write: (error) => writePage(recorder.report(error === undefined ? null : describeEnd(error))),
  };
  return listener;
}

async function start(config: Config, listener: Listener): Promise<Outcome> {
  const planFile =
    config.plan === undefined
      ? null
      : await (await import('./plan/file/plan-file.ts')).readPlanFile(config.plan);
  const transform = await chooseTransform(config, planFile);
  const pools = await createPools(config.clusterImplementation);
  return await migrateCollections(config, { ...hear(listener), isTrial: false, planFile, transform, pools });
}

function hear({ onEvent, listeners = [], signal = new AbortController().signal }: Listener): {
  readonly listeners: readonly EventListener[];
  readonly signal: AbortSignal;
} {
  return { listeners: onEvent === undefined ? listeners : [...listeners, { onEvent }], signal };
}
