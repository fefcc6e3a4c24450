/** One run: a collection into a table, and the account that must balance at its end. */

import type pg from 'pg';
import { DamagedDumpError, ExitCode, MigrationError, SourceError, TargetError } from './errors.ts';
import type { RunEvent, Summary } from './events.ts';
import { reachFailpoint } from './failpoints.ts';
import { formatCount, formatPlural } from './format.ts';
import { RunMeter } from './measure/run-meter.ts';
import { readProcessMemory } from './memory.ts';
import type { Plan } from './plan/plan.ts';
import { systemClock } from './pool/clock.ts';
import type { WorkerObserver } from './pool/observer.ts';
import type { Supervisor } from './pool/supervisor.ts';
import type { Ack, Batch } from './pool/protocol.ts';
import { describePostgres, explainDatabaseError } from './postgres/connection.ts';
import { countRows } from './postgres/ddl.ts';
import { countDeadLetters } from './postgres/dead-letters.ts';
import { finishTable } from './postgres/finish-table.ts';
import { assignRun } from './postgres/jobs.ts';
import { requireLead } from './postgres/lead.ts';
import { readGaps, replaceRanges, type Range } from './postgres/ranges.ts';
import { describeRun } from './postgres/run-decision.ts';
import { beginRun, continueRun, type OpenRun } from './postgres/run-opening.ts';
import { flushCommits, markFinished, markLoaded, readExtra, readTotals } from './postgres/runs.ts';
import { prepareRun, type PreparationOptions } from './preparation.ts';
import type { Recorder } from './report/recorder.ts';
import type { IndexSpec } from './source/index-spec.ts';
import { reportProgress } from './workforce.ts';

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
  #loadStartedMs = 0;
  #read = 0;
  #committedBefore = 0;
  #settled = 0;
  #bytes = 0;
  #deadLetters = 0;
  #duplicates = 0;
  #nextBatch = 1;

  constructor(options: MigrationOptions) {
    this.#options = options;
    const { config, recorder, source, supervisor } = options;
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
    this.#settled += batch.count;
    this.#bytes += batch.documents.byteLength;
    const { onEvent, source, supervisor } = this.#options;
    const progress = reportProgress(supervisor, {
      source: source.name,
      documents: this.#settled,
      bytes: this.#bytes,
      committedBefore: this.#committedBefore,
      deadLettered: this.#deadLetters,
      elapsedMs: performance.now() - this.#loadStartedMs,
    });
    onEvent(progress);
  }

  /** To be called for each ack of this run that is applied. */
  onAck(ack: Ack): void {
    this.#deadLetters += ack.deadLettered;
    if (ack.isDuplicate) this.#duplicates++;
  }

  async #open(): Promise<Opening | null> {
    const { session, source, jobId } = this.#options;
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
    await reachFailpoint('primary-after-plan');
    const run = await beginRun(session, settings, ifExists, jobId);
    if (removes !== null) this.#notify(`removed ${removes}`);
    return { run, specs };
  }

  /** Loads what is not loaded, finishes the table, and accounts for all of it. */
  async #complete({ run, specs }: Opening): Promise<Summary> {
    const { config, session, supervisor, signal, onEvent } = this.#options;
    const { postgresUrl, retryLimitMs, answerTimeoutMs } = config;
    const { runId, epoch, settings, committed } = run;
    this.#read = committed.documents;
    this.#committedBefore = committed.documents;
    this.#settled = committed.documents;
    this.#bytes = committed.bytes;
    this.#deadLetters = committed.deadLettered;
    this.#nextBatch = run.nextBatch;
    const planMs = this.#elapsedMs();

    supervisor.begin(
      {
        postgresUrl,
        purpose: 'load',
        runId,
        epoch,
        plan: settings.plan,
        retryLimitMs,
        answerTimeoutMs,
      },
      this.#observer,
    );
    await this.#announce(run);
    await this.#load(run);
    await this.#options.onLoaded();
    const loadMs = this.#elapsedMs() - planMs;

    onEvent({ kind: 'finishing', source: settings.source });
    await reachFailpoint('primary-in-index-build');
    await session.run((client) => requireLead(client, run));
    const indexes = await finishTable(session, run, specs, {
      url: postgresUrl,
      retryLimitMs,
      answerTimeoutMs,
      jobs: config.indexJobs,
      signal,
      onIndex: (account) => {
        onEvent({ kind: 'index', source: settings.source, ...account });
      },
    });
    const indexMs = this.#elapsedMs() - planMs - loadMs;
    const summary = await this.#summarise(run, { planMs, loadMs, indexMs, indexes });
    requireBalance(summary);
    await reachFailpoint('primary-before-finish');
    await session.transaction((client) => markFinished(client, run));
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

  /** Reads every range and has it loaded; resolves when all is committed and on disk. */
  async #load(run: OpenRun): Promise<void> {
    this.#loadStartedMs = performance.now();
    this.#meter.beginLoad();
    let { ranges, isLoaded } = run;
    while (!isLoaded) {
      const ends = new Map<number, Uint8Array | null>();
      try {
        for (const range of ranges) ends.set(range.rangeNo, await this.#readRange(range));
      } catch (error) {
        // What was read before is handed over, and worth keeping.
        if (error instanceof SourceError || this.#options.signal.aborted)
          await this.#drain().catch(() => undefined);
        throw error;
      }
      await this.#drain();
      this.#requireGoOn();
      await reachFailpoint('primary-before-load-checkpoint');
      ranges = await this.#closeRanges(run, ends);
      isLoaded = ranges.length === 0;
    }
    this.#meter.endLoad();
  }

  #drain(): Promise<void> {
    return this.#meter.time('drain', this.#options.supervisor.drain());
  }

  /** @returns the position of the last document, null when there was none */
  async #readRange(range: Range): Promise<Uint8Array | null> {
    const { config, source, supervisor } = this.#options;
    const { rangeNo } = range;
    let { afterId }: { afterId: Uint8Array | null } = range;
    let lastId: Uint8Array | null = null;
    for await (const page of this.#meter.timePages(source.pages(range, config.itemsPerPage))) {
      if (this.#isToStop()) break;
      this.#read += page.count;
      const number = this.#nextBatch;
      this.#nextBatch += page.count;
      await this.#meter.time('room', supervisor.submit({ number, rangeNo, afterId, ...page }));
      if (this.#settled > this.#committedBefore) await reachFailpoint('primary-after-ack');
      afterId = lastId = page.lastId;
    }
    return lastId;
  }

  /**
   * Workers commit without waiting for the disk, so that a crash of Postgres can take back what was acked. Once all is
   * flushed, the ledger tells what is missing.
   * @returns the ranges to be read again; none when all is there for good
   */
  async #closeRanges(run: OpenRun, ends: ReadonlyMap<number, Uint8Array | null>): Promise<Range[]> {
    const { session } = this.#options;
    const { runId } = run;
    await session.transaction((client) => flushCommits(client, run));
    return await session.transaction(async (client) => {
      await requireLead(client, run);
      const gaps = await readGaps(client, runId, ends);
      if (gaps.length === 0) {
        await markLoaded(client, run);
        return [];
      }
      const { documents, deadLettered } = await readTotals(client, runId);
      this.#notify(
        `a crash of PostgreSQL took back ${formatPlural(this.#read - documents, 'document')}, which are read again`,
      );
      this.#read = documents;
      this.#settled = documents;
      this.#deadLetters = deadLettered;
      return await replaceRanges(client, runId, gaps);
    });
  }

  async #summarise(
    { runId, settings: { plan }, rowsBefore, childRowsBefore }: OpenRun,
    finished: Pick<Summary, 'planMs' | 'loadMs' | 'indexMs' | 'indexes'>,
  ): Promise<Summary> {
    const { config, session, supervisor } = this.#options;
    const ledger = await session.run(
      async (client) => ({
        ...(await readTotals(client, runId)),
        deadLetterReasons: await countDeadLetters(client, runId),
        rowsAfter: await countRows(client, plan),
        children: await countChildren(client, plan),
        extra: await readExtra(client, runId),
      }),
      'long',
    );
    const { copied, deadLettered, bytes, childRows, children, deadLetterReasons, rowsAfter, extra } = ledger;
    return {
      runId,
      source: plan.collection,
      target: describePostgres(config.postgresUrl),
      schema: plan.schema,
      table: plan.table,
      read: this.#read,
      committedBefore: this.#committedBefore,
      copied,
      deadLettered,
      deadLetterReasons,
      rowsBefore,
      rowsAfter,
      childRowsBefore,
      childRows,
      children,
      extra,
      bytes,
      duplicates: this.#duplicates,
      strayAcks: supervisor.strayAcks,
      workers: supervisor.size,
      ...finished,
      totalMs: this.#elapsedMs(),
      primaryPeakRssBytes: readProcessMemory().peakMemoryBytes,
      workerPeakMemoryBytes: supervisor.peakMemoryBytes,
      measurement: this.#meter.measure(),
    };
  }

  #isToStop(): boolean {
    return this.#options.signal.aborted || this.#hasTooManyDeadLetters();
  }

  #hasTooManyDeadLetters(): boolean {
    const { maxDeadLetters } = this.#options.config;
    return maxDeadLetters !== undefined && this.#deadLetters > maxDeadLetters;
  }

  /** @throws when the run is to end before all is read */
  #requireGoOn(): void {
    this.#options.signal.throwIfAborted();
    if (!this.#hasTooManyDeadLetters()) return;
    const count = formatPlural(this.#deadLetters, 'document');
    throw new MigrationError(
      ExitCode.deadLetters,
      `${count} became dead letters, more than MAX_DEAD_LETTERS`,
      {
        fix: 'look at mongo2pg.dead_letters for the reasons; raise MAX_DEAD_LETTERS if that is as it should be.',
      },
    );
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
    const { exitCode, message, isServerGone } = error;
    return new MigrationError(exitCode, message, { fix, isServerGone, cause: error });
  }

  #notify(message: string): void {
    this.#options.onEvent({ kind: 'notice', message });
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }
}

async function countChildren(client: pg.Client, { children = [] }: Plan): Promise<Summary['children']> {
  const counts = [];
  for (const { plan } of children) counts.push({ table: plan.table, rows: await countRows(client, plan) });
  return counts;
}

/** Nothing is said to be done unless the reader, the ledger and the table tell the same. */
function requireBalance(summary: Summary): void {
  const { read, copied, deadLettered, rowsBefore, rowsAfter, childRowsBefore, childRows, children } = summary;
  const inChildren = children.reduce((sum, { rows }) => sum + rows, 0);
  const isBalanced = read === copied + deadLettered && rowsAfter === rowsBefore + copied;
  if (isBalanced && inChildren === childRowsBefore + childRows) return;
  throw new TargetError(
    `the account does not balance: read ${read}, copied ${copied}, dead-lettered ${deadLettered}; ` +
      `rows in the table before ${rowsBefore}, after ${rowsAfter}; ` +
      `child rows ${childRows}, in their tables before ${childRowsBefore}, after ${inChildren}`,
    {
      fix: 'if nobody else wrote to the table during the run, please report this; then run again with --restart.',
    },
  );
}
