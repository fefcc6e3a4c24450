/** One run: a collection into a table, and the account that must balance at its end. */

import { targetOptions, type Config } from '../config/config.ts';
import { DamagedDumpError, MigrationError, SourceChangedError, withFix } from '../common/errors.ts';
import type { CopiedBefore, Summary } from '../observe/events.ts';
import { reachFailpoint } from '../common/failpoints/failpoints.ts';
import { formatCount, formatPlural } from '../common/format.ts';
import { IndexPhase } from './phases/index.ts';
import type { Listeners, RunObserver } from '../observe/listeners.ts';
import { RunMeter } from '../observe/run-meter.ts';
import { readProcessMemory } from '../common/memory.ts';
import { systemClock } from '../common/clock.ts';
import type { Supervisor } from '../workers/supervisor/supervisor.ts';
import { describePostgres, explainDatabaseError } from '../postgres/connection/connection.ts';
import { assignRun } from '../postgres/ledger/jobs.ts';
import { describeDone, describeRun } from '../postgres/ledger/run-decision.ts';
import { requireUniqueKey } from '../postgres/follow/key-check.ts';
import { beginRun, continueRun, type OpenRun } from '../postgres/table/run-opening.ts';
import { readTotals } from '../postgres/ledger/runs.ts';
import { prepareRun, type PreparationOptions } from './prepare.ts';
import { Division } from '../source/reading/division.ts';
import { readRunAccount, requireBalance } from './account.ts';
import { RunLoad } from './phases/copy.ts';
import { requireSameSource } from './same-source.ts';
import type { IndexSpec } from '../source/index-spec.ts';

export interface MigrationOptions extends PreparationOptions {
  readonly config: Config;
  readonly supervisor: Supervisor;
  readonly listeners: Listeners;
  readonly signal: AbortSignal;
  /** Called when every document is committed, before keys and indexes are built. */
  onLoaded(): Promise<void>;
}

/** By this process, or by one before it. */
export type Copied =
  | { readonly kind: 'now'; readonly summary: Summary }
  | { readonly kind: 'before'; readonly account: CopiedBefore };

interface Opening {
  readonly kind: 'open';
  readonly run: OpenRun;
  /** The collection's indexes, as far as they are to be carried over. */
  readonly specs: readonly IndexSpec[];
}

export class Migration {
  readonly #options: MigrationOptions;
  readonly #startedMs = performance.now();
  readonly #meter: RunMeter;
  readonly #observers: readonly RunObserver[];
  readonly #division: Division;

  constructor(options: MigrationOptions) {
    this.#options = options;
    const { config, listeners, source, supervisor } = options;
    this.#division = new Division(source, config.readRanges);
    this.#meter = new RunMeter(config.clusterImplementation, systemClock);
    const run = { source: source.name, meter: this.#meter, inFlight: () => supervisor.inFlight };
    this.#observers = [this.#meter, ...listeners.onRun(run)];
  }

  /**
   * @throws MigrationError with the exit code of the side that failed
   */
  async execute(): Promise<Copied> {
    try {
      const opening = await this.#open();
      if (opening.kind === 'before') return opening;
      try {
        return { kind: 'now', summary: await this.#complete(opening) };
      } catch (error) {
        throw await this.#tellHowToContinue(error, opening.run);
      }
    } finally {
      for (const observer of this.#observers) observer.onEnd?.();
    }
  }

  async #open(): Promise<Opening | (Copied & { readonly kind: 'before' })> {
    const { config, session, source, jobId } = this.#options;
    const prepared = await prepareRun(this.#options);
    if (prepared.kind !== 'begin' && jobId !== null) {
      await session.run((client) => assignRun(client, jobId, source.name, prepared.run.runId));
    }
    if (prepared.kind === 'done') {
      this.#notify(`${source.name} ${describeDone(prepared)}`);
      const { run, copied, deadLettered } = prepared;
      return { kind: 'before', account: { source: source.name, runId: run.runId, copied, deadLettered } };
    }
    const { specs, notices } = prepared;
    for (const message of notices) this.#notify(message);
    if (prepared.kind === 'continue') {
      await requireSameSource(source, session, prepared.run.runId);
      const run = await continueRun(session, prepared.run);
      this.#notify(
        `continuing ${describeRun(prepared.run)}: ${formatPlural(run.committed.documentCount, 'document')} committed, ` +
          `${formatPlural(run.ranges.length, 'gap')} to read`,
      );
      return { kind: 'open', run, specs };
    }
    const { settings, ifExists, removes } = prepared;
    const intervals = await this.#division.intervals(config.itemsPerPage);
    await reachFailpoint('primary-after-plan');
    // What is in the way of the run is removed for documents that are there.
    await source.requireUnchanged();
    const streamId = this.#options.stream?.streamId ?? null;
    if (streamId !== null && ifExists !== 'drop') {
      await session.run((client) => requireUniqueKey(client, settings.plan));
    }
    const run = await beginRun(session, settings, ifExists, jobId, intervals, streamId);
    if (removes !== null) this.#notify(`removed ${removes}`);
    return { kind: 'open', run, specs };
  }

  /** Loads what is not loaded, finishes the table, and accounts for all of it. */
  async #complete({ run, specs }: Opening): Promise<Summary> {
    const { config, session, listeners, signal } = this.#options;
    const { onEvent } = listeners;
    const planMs = this.#elapsedMs();

    const copy = new RunLoad(run, {
      ...this.#options,
      ...{ onEvent, division: this.#division, meter: this.#meter, observers: this.#observers },
    });
    try {
      copy.expectedDocuments = await this.#announce(run);
      if (!copy.isDone) await copy.execute();
    } finally {
      copy.end();
    }
    await this.#options.onLoaded();
    const loadMs = this.#elapsedMs() - planMs;

    let summary: Summary | undefined;
    const index = new IndexPhase(run, {
      ...targetOptions(config),
      ...{ session, specs, signal, onEvent, jobs: config.indexJobs },
      requireBalance: async (indexes) => {
        const indexMs = this.#elapsedMs() - planMs - loadMs;
        summary = await this.#summarise(run, { ...copy.account, ...{ planMs, loadMs, indexMs, indexes } });
        requireBalance(summary);
      },
    });
    await index.execute();
    if (summary === undefined) throw new Error('the run was finished without an account');
    onEvent({ kind: 'summary', ...summary });
    return summary;
  }

  /** @returns about how many documents there are */
  async #announce(run: OpenRun): Promise<number> {
    const { config, source, supervisor, listeners } = this.#options;
    const expectedDocuments = config.amountUsers ?? (await source.estimateCount());
    listeners.onEvent({
      kind: 'started',
      source: source.name,
      target: describePostgres(config.postgresUrl),
      plan: run.settings.plan,
      workers: supervisor.size,
      workerIds: supervisor.workerIds,
      expectedDocuments,
      committedDocuments: run.committed.documentCount,
    });
    return expectedDocuments;
  }

  async #summarise(
    { runId, settings: { plan }, rowsBefore, childRowsBefore, committed }: OpenRun,
    known: Pick<
      Summary,
      'read' | 'duplicates' | 'unmatchedAcks' | 'planMs' | 'loadMs' | 'indexMs' | 'indexes'
    >,
  ): Promise<Summary> {
    const { config, session, supervisor } = this.#options;
    return {
      runId,
      source: plan.collection,
      target: describePostgres(config.postgresUrl),
      schema: plan.schema,
      table: plan.table,
      committedBefore: committed.documentCount,
      rowsBefore,
      childRowsBefore,
      ...(await session.run((client) => readRunAccount(client, runId, plan), 'long')),
      workers: supervisor.size,
      ...known,
      totalMs: this.#elapsedMs(),
      primaryPeakRssBytes: readProcessMemory().peakMemoryBytes,
      workerPeakMemoryBytes: supervisor.peakMemoryBytes,
      measurement: this.#meter.measure(),
    };
  }

  /** What is committed stays committed, so that every end of an open run leaves something to go on from. */
  async #tellHowToContinue(thrown: unknown, { runId }: OpenRun): Promise<unknown> {
    const { postgresUrl } = this.#options.config;
    const error = explainDatabaseError(thrown, postgresUrl);
    if (!(error instanceof MigrationError)) return error;
    const totals = await this.#options.session.run((client) => readTotals(client, runId)).catch(() => null);
    const committed = totals === null ? '' : `${formatCount(totals.documentCount)} documents are committed`;
    // A dump does not mend by itself, and what a changed source takes is in its own words.
    const isLost = error instanceof DamagedDumpError || error instanceof SourceChangedError;
    const goesOn = isLost ? '' : 'the same command resumes from there';
    const tail = [committed, goesOn].filter((part) => part !== '').join('; ');
    const fix = [error.fix, tail === '' ? '' : `${tail}.`].filter((part) => part !== '').join(' ');
    return withFix(error, fix);
  }

  #notify(message: string): void {
    const { listeners, source } = this.#options;
    listeners.onEvent({ kind: 'notice', source: source.name, message });
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }
}
