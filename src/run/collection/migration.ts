/** One run: a collection into a table, and the account that must balance at its end. */

import { targetOptions, type Config } from '../../config/config.ts';
import { DamagedDumpError, MigrationError, SourceChangedError, withFix } from '../../common/errors.ts';
import type { CopiedBefore } from '../../observe/outcome.ts';
import type { Summary } from '../../observe/summary.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { formatCount, formatPlural } from '../../common/format.ts';
import { IndexPhase } from './phases/index.ts';
import type { Listeners, RunObserver } from '../../observe/listeners.ts';
import { RunMeter } from '../../observe/run-meter.ts';
import { readProcessMemory } from '../../common/memory.ts';
import { systemClock } from '../../common/clock.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { describePostgres, explainDatabaseError } from '../../postgres/connection/connection.ts';
import { foldRun } from '../../postgres/ledger/fold.ts';
import { assignRun } from '../../postgres/ledger/jobs.ts';
import { describeDone, describeRun } from '../../postgres/ledger/run-decision.ts';
import { buildTogether } from '../../postgres/table/build-together.ts';
import { requireUniqueKey } from '../../postgres/follow/key-check.ts';
import { beginRun, continueRun, type OpenRun } from '../../postgres/table/run-opening.ts';
import { readTotals, replacePlan, type Run } from '../../postgres/ledger/runs.ts';
import type { KeyCounts } from '../../postgres/table/primary-key.ts';
import type { HostWork } from '../../postgres/ledger/hosts/host-work.ts';
import { prepareRun, type PreparationOptions } from './prepare.ts';
import { Division } from '../../source/reading/division.ts';
import { readRunAccount, requireBalance } from './account.ts';
import { CopyPhase } from './phases/copy.ts';
import { requireSameSource } from './same-source.ts';
import type { IndexSpec } from '../../source/index-spec.ts';
import type { Sample } from '../../source/source.ts';
import { atTransformFile } from '../../transcode/plan.ts';

export interface MigrationOptions extends PreparationOptions {
  readonly config: Config;
  readonly supervisor: Supervisor;
  readonly listeners: Listeners;
  readonly signal: AbortSignal;
  /** Set if several hosts copy and this one leads. */
  readonly hosts?: HostWork;
  /** Called when every document is committed, before keys and indexes are built. */
  onLoaded(): Promise<void>;
}

/** A collection is copied by this process (`now`), or was copied by an earlier one (`before`). */
export type Copied =
  | { readonly kind: 'now'; readonly summary: Summary }
  | { readonly kind: 'before'; readonly account: CopiedBefore };

interface Opening {
  readonly kind: 'open';
  readonly run: OpenRun;
  /** The collection's indexes that are to be carried over. */
  readonly specs: readonly IndexSpec[];
}

export class Migration {
  readonly #options: MigrationOptions;
  readonly #startedMs = performance.now();
  readonly #meter: RunMeter;
  readonly #observers: readonly RunObserver[];
  readonly #division: Division;
  #expectedDocuments: Promise<number> | undefined;

  constructor(options: MigrationOptions) {
    this.#options = options;
    const { config, listeners, source, supervisor, hosts } = options;
    this.#division = new Division(source, config.readRanges, hosts?.rangeBytes ?? null);
    this.#meter = new RunMeter(config.clusterImplementation, systemClock);
    const run = { source: source.name, meter: this.#meter, inFlight: () => supervisor.inFlight };
    this.#observers = [this.#meter, ...listeners.onRun(run)];
  }

  /**
   * @throws MigrationError with the exit code of the side that failed
   */
  async execute(): Promise<Copied> {
    try {
      this.#expectWork();
      const opening = await this.#open();
      if (opening.kind === 'before') return opening;
      try {
        return { kind: 'now', summary: await this.#complete(opening) };
      } catch (error) {
        throw await this.#addHowToResume(error, opening.run);
      }
    } finally {
      for (const observer of this.#observers) observer.onEnd?.();
    }
  }

  /** Starts workers while the plan is made, if there are enough documents to be worth it. */
  #expectWork(): void {
    const { config, source } = this.#options;
    const counting =
      config.amountUsers === undefined ? source.estimateCount() : Promise.resolve(config.amountUsers);
    this.#expectedDocuments = counting;
    this.#expect(counting);
  }

  #expect(counting: Promise<number>, bytesPerDocument?: number): void {
    counting.then(
      (documents) => {
        this.#options.supervisor.expect(documents, bytesPerDocument);
      },
      // It is awaited in `#announce`, which reports the error.
      () => undefined,
    );
  }

  async #open(): Promise<Opening | (Copied & { readonly kind: 'before' })> {
    const { config, session, source, jobId, hosts } = this.#options;
    const prepared = await prepareRun(this.#options);
    const known = prepared.kind === 'begin' ? null : await this.#recordTransformFile(prepared.run);
    if (prepared.kind !== 'begin' && jobId !== null) {
      await session.run((client) => assignRun(client, jobId, source.name, prepared.run.runId));
    }
    if (prepared.kind === 'done') {
      this.#notify(`${source.name} ${describeDone(prepared)}`);
      const { run, copied, deadLettered, dropped } = prepared;
      return {
        kind: 'before',
        account: { source: source.name, runId: run.runId, copied, deadLettered, dropped },
      };
    }
    const { specs, notices } = prepared;
    for (const message of notices) this.#notify(message);
    if (prepared.kind === 'continue') {
      // A document may have crashed the process before. This time it must crash a worker, and not the primary.
      this.#options.supervisor.expect(Infinity);
      await requireSameSource(source, session, prepared.run.runId);
      const run = await continueRun(session, known ?? prepared.run, hosts);
      const gaps = hosts === undefined ? `, ${formatPlural(run.ranges.length, 'gap')} to read` : '';
      const documents = formatPlural(run.committed.documentCount, 'document');
      this.#notify(`continuing ${describeRun(prepared.run)}: ${documents} committed${gaps}`);
      return { kind: 'open', run, specs };
    }
    const { settings, ifExists, removes, sample } = prepared;
    const bytesPerDocument = sample === null ? null : averageBytes(sample);
    if (bytesPerDocument !== null && this.#expectedDocuments !== undefined) {
      this.#expect(this.#expectedDocuments, bytesPerDocument);
    }
    const documents = hosts === undefined ? 0 : await this.#expectedDocuments;
    const intervals = await this.#division.intervals(config.itemsPerPage, documents);
    await reachFailpoint('primary-after-plan');
    // Existing rows are removed only if the documents that replace them are still there.
    await source.requireUnchanged();
    const streamId = this.#options.stream?.streamId ?? null;
    if (streamId !== null && ifExists !== 'drop') {
      await session.run((client) => requireUniqueKey(client, settings.plan));
    }
    const run = await beginRun(session, settings, ifExists, jobId, intervals, streamId, hosts);
    if (removes !== null) this.#notify(`removed ${removes}`);
    return { kind: 'open', run, specs };
  }

  /** Records where the transform's module is now: later commands read it from there. */
  async #recordTransformFile(run: Run): Promise<Run> {
    const { session, transform } = this.#options;
    const plan = atTransformFile(run.settings.plan, transform);
    if (plan === run.settings.plan) return run;
    await session.run((client) => replacePlan(client, run.runId, plan));
    return { ...run, settings: { ...run.settings, plan } };
  }

  /** Loads what is not loaded, finishes the table, and accounts for all of it. */
  async #complete({ run, specs }: Opening): Promise<Summary> {
    const { config, session, listeners, signal, hosts } = this.#options;
    const { onEvent } = listeners;
    const planMs = this.#elapsedMs();

    const copy = new CopyPhase(run, {
      ...this.#options,
      ...{ onEvent, division: this.#division, meter: this.#meter, observers: this.#observers },
    });
    try {
      copy.expect(await this.#announce(run));
      if (!copy.isDone) await copy.execute();
    } finally {
      copy.end();
    }
    await foldRun(session, run);
    await this.#options.onLoaded();
    const loadMs = this.#elapsedMs() - planMs;

    let summary: Summary | undefined;
    const index = new IndexPhase(run, {
      ...targetOptions(config),
      ...{ session, specs, signal, onEvent, jobs: config.indexJobs },
      ...(hosts === undefined ? {} : { builder: buildTogether(session, run.runId, hosts) }),
      requireBalance: async (indexes, counts) => {
        const indexMs = this.#elapsedMs() - planMs - loadMs;
        summary = await this.#summarise(run, counts, {
          ...copy.account,
          ...{ planMs, loadMs, indexMs, indexes },
        });
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
    const expectedDocuments = (await this.#expectedDocuments) ?? 0;
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
    run: OpenRun,
    counts: KeyCounts,
    known: Pick<
      Summary,
      'read' | 'duplicates' | 'unmatchedAcks' | 'planMs' | 'loadMs' | 'indexMs' | 'indexes'
    >,
  ): Promise<Summary> {
    const { config, session, supervisor } = this.#options;
    const { runId, settings, rowsBefore, childRowsBefore, committed } = run;
    const { plan } = settings;
    return {
      runId,
      source: plan.collection,
      target: describePostgres(config.postgresUrl),
      schema: plan.schema,
      table: plan.table,
      committedBefore: committed.documentCount,
      rowsBefore,
      childRowsBefore,
      ...(await session.run((client) => readRunAccount(client, run, counts), 'long')),
      workers: supervisor.size,
      connections: supervisor.connections,
      sizing: supervisor.explanation,
      ...known,
      totalMs: this.#elapsedMs(),
      primaryPeakRssBytes: readProcessMemory().peakMemoryBytes,
      workerPeakMemoryBytes: supervisor.peakMemoryBytes,
      measurement: this.#meter.measure(),
    };
  }

  /** Adds to the fix of an error that the run can be resumed, and how much is committed. */
  async #addHowToResume(thrown: unknown, { runId }: OpenRun): Promise<unknown> {
    const { postgresUrl } = this.#options.config;
    const error = explainDatabaseError(thrown, postgresUrl);
    if (!(error instanceof MigrationError)) return error;
    const totals = await this.#options.session.run((client) => readTotals(client, runId)).catch(() => null);
    const committed = totals === null ? '' : `${formatCount(totals.documentCount)} documents are committed`;
    // A damaged dump cannot be resumed. The error of a changed source has its own fix.
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

function averageBytes({ documents }: Sample): number | null {
  if (documents.length === 0) return null;
  return documents.reduce((sum, { byteLength }) => sum + byteLength, 0) / documents.length;
}
