/** One run: a collection into a table, and the account that must balance at its end. */

import { targetOptions } from './config.ts';
import { DamagedDumpError, MigrationError, withFix } from './errors.ts';
import type { RunEvent, Summary } from './events.ts';
import { reachFailpoint } from './failpoints.ts';
import { formatCount, formatPlural } from './format.ts';
import { IndexPhase } from './index-phase.ts';
import { RunMeter } from './measure/run-meter.ts';
import { readProcessMemory } from './memory.ts';
import { systemClock } from './pool/clock.ts';
import type { WorkerObserver } from './pool/observer.ts';
import type { Supervisor } from './pool/supervisor.ts';
import type { Ack, Batch } from './pool/protocol.ts';
import { describePostgres, explainDatabaseError } from './postgres/connection.ts';
import { assignRun } from './postgres/jobs.ts';
import { describeRun } from './postgres/run-decision.ts';
import { beginRun, continueRun, type OpenRun } from './postgres/run-opening.ts';
import { readTotals } from './postgres/runs.ts';
import { prepareRun, type PreparationOptions } from './preparation.ts';
import { Division } from './reading/division.ts';
import type { Recorder } from './report/recorder.ts';
import { readRunAccount, requireBalance } from './run-account.ts';
import { RunLoad } from './run-load.ts';
import type { IndexSpec } from './source/index-spec.ts';
import { workerTarget } from './workforce.ts';

export interface MigrationOptions extends PreparationOptions {
  readonly supervisor: Supervisor;
  readonly onEvent: (event: RunEvent) => void;
  /** Records it for a report; null when none is asked for. */
  readonly recorder: Recorder | null;
  readonly signal: AbortSignal;
  /** Called when every document is committed, before keys and indexes are built. */
  onLoaded(): Promise<void>;
}

interface Opening {
  readonly run: OpenRun;
  /** The collection's indexes, as far as they are to be carried over. */
  readonly specs: readonly IndexSpec[];
}

export class Migration {
  readonly #options: MigrationOptions;
  readonly #startedMs = performance.now();
  readonly #meter: RunMeter;
  readonly #observer: WorkerObserver;
  readonly #division: Division;
  #load: RunLoad | undefined;

  constructor(options: MigrationOptions) {
    this.#options = options;
    const { config, recorder, source, supervisor } = options;
    this.#division = new Division(source, config.readRanges);
    this.#meter = new RunMeter(config.clusterImplementation, systemClock);
    const run = { source: source.name, meter: this.#meter, inFlight: () => supervisor.inFlight };
    this.#observer = recorder?.begin(run) ?? this.#meter;
  }

  /**
   * @returns null when the collection was copied already, as one of several
   * @throws MigrationError with the exit code of the side that failed
   */
  async execute(): Promise<Summary | null> {
    const opening = await this.#open();
    if (opening === null) return null;
    try {
      return await this.#complete(opening);
    } catch (error) {
      throw await this.#tellHowToContinue(error, opening.run);
    }
  }

  /** To be called for each batch of this run that is settled. */
  onSettled(batch: Batch): void {
    this.#load?.onSettled(batch);
  }

  /** To be called for each ack of this run that is applied. */
  onAck(ack: Ack): void {
    this.#load?.onAck(ack);
  }

  async #open(): Promise<Opening | null> {
    const { config, session, source, jobId } = this.#options;
    const prepared = await prepareRun(this.#options);
    if (prepared.kind !== 'begin' && jobId !== null) {
      await session.run((client) => assignRun(client, jobId, source.name, prepared.run.runId));
    }
    if (prepared.kind === 'done') {
      this.#notify(`${source.name} is copied already: ${describeRun(prepared.run)}`);
      return null;
    }
    const { specs, notices } = prepared;
    for (const message of notices) this.#notify(message);
    if (prepared.kind === 'continue') {
      const run = await continueRun(session, prepared.run);
      this.#notify(
        `continuing ${describeRun(prepared.run)}: ${formatPlural(run.committed.documents, 'document')} committed, ` +
          `${formatPlural(run.ranges.length, 'gap')} to read`,
      );
      return { run, specs };
    }
    const { settings, ifExists, removes } = prepared;
    const intervals = await this.#division.intervals(source.documentsPerPage(config.itemsPerPage));
    await reachFailpoint('primary-after-plan');
    const run = await beginRun(session, settings, ifExists, jobId, intervals);
    if (removes !== null) this.#notify(`removed ${removes}`);
    return { run, specs };
  }

  /** Loads what is not loaded, finishes the table, and accounts for all of it. */
  async #complete({ run, specs }: Opening): Promise<Summary> {
    const { config, session, supervisor, signal, onEvent } = this.#options;
    const { runId, settings } = run;
    const planMs = this.#elapsedMs();

    supervisor.begin(
      { ...workerTarget(config), purpose: 'load', runId, plan: settings.plan },
      this.#observer,
    );
    await this.#announce(run);
    const copy = new RunLoad(run, { ...this.#options, division: this.#division, meter: this.#meter });
    this.#load = copy;
    if (!copy.isDone) await copy.execute();
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

  async #announce(run: OpenRun): Promise<void> {
    const { config, source, supervisor, onEvent } = this.#options;
    onEvent({
      kind: 'started',
      source: source.name,
      target: describePostgres(config.postgresUrl),
      plan: run.settings.plan,
      workers: supervisor.size,
      workerIds: supervisor.workerIds,
      expectedDocuments: config.amountUsers ?? (await source.estimateCount()),
      committedDocuments: run.committed.documents,
    });
  }

  async #summarise(
    { runId, settings: { plan }, rowsBefore, childRowsBefore, committed }: OpenRun,
    known: Pick<Summary, 'read' | 'duplicates' | 'planMs' | 'loadMs' | 'indexMs' | 'indexes'>,
  ): Promise<Summary> {
    const { config, session, supervisor } = this.#options;
    return {
      runId,
      source: plan.collection,
      target: describePostgres(config.postgresUrl),
      schema: plan.schema,
      table: plan.table,
      committedBefore: committed.documents,
      rowsBefore,
      childRowsBefore,
      ...(await session.run((client) => readRunAccount(client, runId, plan), 'long')),
      strayAcks: supervisor.strayAcks,
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
    const committed = totals === null ? '' : `${formatCount(totals.documents)} documents are committed`;
    // A dump does not mend by itself.
    const goesOn = error instanceof DamagedDumpError ? '' : 'the same command goes on from there';
    const tail = [committed, goesOn].filter((part) => part !== '').join('; ');
    const fix = [error.fix, tail === '' ? '' : `${tail}.`].filter((part) => part !== '').join(' ');
    return withFix(error, fix);
  }

  #notify(message: string): void {
    this.#options.onEvent({ kind: 'notice', message });
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }
}
