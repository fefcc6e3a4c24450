/** One run, from end to end: source → pool of workers → table, and the proof that nothing was lost on the way. */

import { availableParallelism } from 'node:os';
import pg from 'pg';
import type { Config } from './config.ts';
import { ExitCode, MigrationError, TargetError } from './errors.ts';
import type { RunEvent, Summary } from './events.ts';
import { reachFailpoint } from './failpoints.ts';
import { formatCount, formatPlural } from './format.ts';
import { readPeakRssBytes } from './memory.ts';
import { inferColumns } from './plan/infer.ts';
import { toIdentifier } from './plan/names.ts';
import type { Plan } from './plan/plan.ts';
import { systemClock } from './pool/clock.ts';
import { createPool } from './pool/pool.ts';
import { Supervisor } from './pool/supervisor.ts';
import { readConnectionsLeft } from './postgres/capacity.ts';
import { describePostgres, explainPostgresError } from './postgres/connection.ts';
import { countRows } from './postgres/ddl.ts';
import { countDeadLetters } from './postgres/dead-letters.ts';
import { finishTable } from './postgres/finish-table.ts';
import { readGaps, replaceRanges, type Range } from './postgres/ranges.ts';
import { decideRun, describeRun } from './postgres/run-decision.ts';
import { beginRun, continueRun, type OpenRun } from './postgres/run-opening.ts';
import { lockTable } from './postgres/run-lock.ts';
import { flushCommits, markFinished, markLoaded, readExtra, readTotals } from './postgres/runs.ts';
import { Session } from './postgres/session.ts';
import type { Source } from './source/source.ts';

/** A worker has only its connection to close by then; one that takes longer hangs, and is killed. */
const shutdownGraceMs = 10_000;

export interface MigrateOptions {
  onEvent(event: RunEvent): void;
  /** Aborting it ends reading; what is in flight is committed, then the run stops with the signal's reason. */
  readonly signal: AbortSignal;
  /** The servers are for trying out: a run in the way is replaced without being asked. */
  readonly isTrial: boolean;
}

/**
 * Migrates one collection. The config's URLs are those of servers that run.
 * @throws MigrationError with the exit code of the side that failed
 */
export async function migrate(config: Config, options: MigrateOptions): Promise<Summary> {
  const table = { schema: config.postgresSchema, table: toIdentifier(config.mongoCollection) };
  const session = await Session.open({
    url: config.postgresUrl,
    applicationName: 'mongo2pg primary',
    retryLimitMs: config.retryLimitMs,
    // An index takes as long as it takes.
    answerTimeoutMs: 0,
    onConnect: (client) => lockTable(client, table),
    onLost: (reason) => {
      options.onEvent({ kind: 'notice', message: `the connection to PostgreSQL is made anew (${reason})` });
    },
    signal: options.signal,
  });
  try {
    return await new Migration(config, options, session, table).execute();
  } catch (error) {
    // The errors of Postgres itself; those of the connection were explained where they arose.
    throw error instanceof pg.DatabaseError ? explainPostgresError(error, config.postgresUrl) : error;
  } finally {
    await session.close();
  }
}

/** The state of one run while it goes. */
class Migration {
  readonly #config: Config;
  readonly #options: MigrateOptions;
  readonly #session: Session;
  readonly #table: Pick<Plan, 'schema' | 'table'>;
  readonly #startedMs = performance.now();
  #loadStartedMs = 0;
  #read = 0;
  #committedBefore = 0;
  #settled = 0;
  #bytes = 0;
  #deadLetters = 0;
  #nextBatch = 1;

  constructor(
    config: Config,
    options: MigrateOptions,
    session: Session,
    table: Pick<Plan, 'schema' | 'table'>,
  ) {
    this.#config = config;
    this.#options = options;
    this.#session = session;
    this.#table = table;
  }

  async execute(): Promise<Summary> {
    const supervisor = this.#createSupervisor(await this.#chooseSize());
    // First of all: processes take longer to come up than a plan takes to be made.
    supervisor.spawn();
    try {
      const source = await this.#openSource();
      try {
        const run = await this.#openRun(source);
        try {
          return await this.#complete(run, source, supervisor);
        } catch (error) {
          throw await this.#tellHowToContinue(error, run);
        }
      } finally {
        await source.close();
      }
    } finally {
      // After an orderly end there is none left.
      await supervisor.kill();
    }
  }

  async #openSource(): Promise<Source> {
    const { mongoUrl, mongoDb, mongoCollection, retryLimitMs, answerTimeoutMs } = this.#config;
    // Here and not at the top: loading the driver takes as long as starting a worker, and the workers start meanwhile.
    const { openCollection } = await import('./source/collection.ts');
    return await openCollection({
      url: mongoUrl,
      db: mongoDb,
      collection: mongoCollection,
      retryLimitMs,
      answerTimeoutMs,
      signal: this.#options.signal,
      onRetry: (reason) => {
        this.#notify(`MongoDB is tried again (${reason})`);
      },
    });
  }

  async #openRun(source: Source): Promise<OpenRun> {
    const { ifExists, isRestart } = this.#config;
    const settings = { source: source.name, collectionId: source.collectionId };
    const { isTrial } = this.#options;
    const request = { table: this.#table, settings, ifExists, isRestart, isTrial };
    const decision = await this.#session.run((client) => decideRun(client, request));
    if (decision.kind === 'continue') {
      const run = await continueRun(this.#session, decision.run);
      this.#notify(
        `continuing ${describeRun(decision.run)}: ${formatPlural(run.committed.documents, 'document')} committed, ` +
          `${formatPlural(run.ranges.length, 'gap')} to read`,
      );
      return run;
    }
    const plan = await this.#makePlan(source);
    await reachFailpoint('primary-after-plan');
    const run = await beginRun(this.#session, { ...settings, plan }, decision.ifExists);
    if (decision.removes !== null) this.#notify(`removed ${decision.removes}`);
    return run;
  }

  async #makePlan(source: Source): Promise<Plan> {
    const { documents, isRandom } = await source.sample(this.#config.sampleSize);
    if (!isRandom) {
      this.#notify(
        `the server has no $sample: columns are inferred from the first ${documents.length} documents`,
      );
    }
    const { columns, extraColumn, notices } = inferColumns(documents);
    for (const message of notices) this.#notify(message);
    return { collection: source.name, ...this.#table, columns, extraColumn };
  }

  /** Loads what is not loaded, finishes the table, and accounts for all of it. */
  async #complete(run: OpenRun, source: Source, supervisor: Supervisor): Promise<Summary> {
    const { runId, epoch, settings, committed } = run;
    const { postgresUrl, retryLimitMs, answerTimeoutMs } = this.#config;
    this.#read = committed.documents;
    this.#committedBefore = committed.documents;
    this.#settled = committed.documents;
    this.#bytes = committed.bytes;
    this.#deadLetters = committed.deadLettered;
    this.#nextBatch = run.nextBatch;
    const specs = this.#config.indexes === 'carry' ? await source.listIndexes() : [];
    const planMs = this.#elapsedMs();

    supervisor.begin({ postgresUrl, runId, epoch, plan: settings.plan, retryLimitMs, answerTimeoutMs });
    await this.#announce(source, run, supervisor);
    await this.#load(run, source, supervisor);
    const loadMs = this.#elapsedMs() - planMs;

    this.#options.onEvent({ kind: 'finishing' });
    await reachFailpoint('primary-in-index-build');
    const indexes = await finishTable(this.#session, run, specs, {
      url: postgresUrl,
      retryLimitMs,
      jobs: this.#config.indexJobs,
      signal: this.#options.signal,
      onIndex: (account) => {
        this.#options.onEvent({ kind: 'index', ...account });
      },
    });
    const indexMs = this.#elapsedMs() - planMs - loadMs;
    const summary = await this.#summarise(run, supervisor, { planMs, loadMs, indexMs, indexes });
    requireBalance(summary);
    await reachFailpoint('primary-before-finish');
    await this.#session.transaction((client) => markFinished(client, runId));
    this.#options.onEvent({ kind: 'summary', ...summary });
    return summary;
  }

  async #announce(source: Source, run: OpenRun, supervisor: Supervisor): Promise<void> {
    this.#options.onEvent({
      kind: 'started',
      source: source.name,
      target: describePostgres(this.#config.postgresUrl),
      plan: run.settings.plan,
      workers: supervisor.workerCount,
      workerPids: supervisor.workerPids,
      expectedDocuments: this.#config.amountUsers ?? (await source.estimateCount()),
      committedDocuments: run.committed.documents,
    });
  }

  /** Reads every range and has it loaded; resolves when all is committed, on disk, and every worker is gone. */
  async #load(run: OpenRun, source: Source, supervisor: Supervisor): Promise<void> {
    this.#loadStartedMs = performance.now();
    let { ranges, isLoaded } = run;
    while (!isLoaded) {
      const ends = new Map<number, Uint8Array | null>();
      for (const range of ranges) ends.set(range.rangeNo, await this.#readRange(range, source, supervisor));
      await supervisor.drain();
      this.#requireGoOn();
      await reachFailpoint('primary-before-load-checkpoint');
      ranges = await this.#closeRanges(run.runId, ends);
      isLoaded = ranges.length === 0;
    }
    await stopWithin(supervisor, shutdownGraceMs);
  }

  /** @returns the `_id` of the last document, null when there was none */
  async #readRange(range: Range, source: Source, supervisor: Supervisor): Promise<Uint8Array | null> {
    const { rangeNo } = range;
    let { afterId }: { afterId: Uint8Array | null } = range;
    let lastId: Uint8Array | null = null;
    for await (const page of source.pages(range, this.#config.itemsPerPage)) {
      if (this.#isToStop()) break;
      this.#read += page.count;
      const number = this.#nextBatch;
      this.#nextBatch += page.count;
      await supervisor.submit({ number, rangeNo, afterId, ...page });
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
  async #closeRanges(runId: string, ends: ReadonlyMap<number, Uint8Array | null>): Promise<Range[]> {
    await this.#session.transaction((client) => flushCommits(client, runId));
    return await this.#session.transaction(async (client) => {
      const gaps = await readGaps(client, runId, ends);
      if (gaps.length === 0) {
        await markLoaded(client, runId);
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
    { runId, settings: { plan }, rowsBefore }: OpenRun,
    supervisor: Supervisor,
    finished: Pick<Summary, 'planMs' | 'loadMs' | 'indexMs' | 'indexes'>,
  ): Promise<Summary> {
    const ledger = await this.#session.run(async (client) => ({
      ...(await readTotals(client, runId)),
      deadLetterReasons: await countDeadLetters(client, runId),
      rowsAfter: await countRows(client, plan),
      extra: await readExtra(client, runId),
    }));
    const { copied, deadLettered, bytes, deadLetterReasons, rowsAfter, extra } = ledger;
    return {
      runId,
      source: plan.collection,
      target: describePostgres(this.#config.postgresUrl),
      schema: plan.schema,
      table: plan.table,
      read: this.#read,
      committedBefore: this.#committedBefore,
      copied,
      deadLettered,
      deadLetterReasons,
      rowsBefore,
      rowsAfter,
      extra,
      bytes,
      workers: supervisor.peakRssBytes.length,
      ...finished,
      totalMs: this.#elapsedMs(),
      primaryPeakRssBytes: readPeakRssBytes(),
      workerPeakRssBytes: supervisor.peakRssBytes,
    };
  }

  #isToStop(): boolean {
    return this.#options.signal.aborted || this.#hasTooManyDeadLetters();
  }

  #hasTooManyDeadLetters(): boolean {
    const { maxDeadLetters } = this.#config;
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
  async #tellHowToContinue(error: unknown, { runId }: OpenRun): Promise<unknown> {
    if (!(error instanceof MigrationError)) return error;
    const totals = await this.#session.run((client) => readTotals(client, runId)).catch(() => null);
    const committed = totals === null ? '' : `${formatCount(totals.documents)} documents are committed; `;
    const fix = `${error.fix === '' ? '' : `${error.fix} `}${committed}the same command goes on from there.`;
    return new MigrationError(error.exitCode, error.message, { fix, cause: error });
  }

  async #chooseSize(): Promise<number> {
    const { clusterSize, clusterSizeMultiplier } = this.#config;
    const wanted = clusterSize ?? availableParallelism() * clusterSizeMultiplier;
    const size = Math.min(wanted, await this.#session.run(readConnectionsLeft));
    if (size < wanted) {
      this.#notify(`${size} workers instead of ${wanted}: PostgreSQL has no more connections left`);
    }
    return size;
  }

  #createSupervisor(size: number): Supervisor {
    return new Supervisor({
      pool: createPool(this.#config.clusterImplementation),
      clock: systemClock,
      size,
      maxInFlightBytes: this.#config.maxInFlightBytes,
      hangTimeoutMs: this.#config.workerTimeoutMs,
      onNotice: (message) => {
        this.#notify(message);
      },
      onSettled: (batch) => {
        this.#settled += batch.count;
        this.#bytes += batch.documents.byteLength;
        this.#options.onEvent({
          kind: 'progress',
          documents: this.#settled,
          committedBefore: this.#committedBefore,
          bytes: this.#bytes,
          elapsedMs: performance.now() - this.#loadStartedMs,
          workers: size,
        });
      },
      onAck: (ack) => {
        this.#deadLetters += ack.deadLettered;
      },
    });
  }

  #notify(message: string): void {
    this.#options.onEvent({ kind: 'notice', message });
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }
}

/** Nothing is said to be done unless the reader, the ledger and the table tell the same. */
function requireBalance({ read, copied, deadLettered, rowsBefore, rowsAfter }: Summary): void {
  if (read === copied + deadLettered && rowsAfter === rowsBefore + copied) return;
  throw new TargetError(
    `the account does not balance: read ${read}, copied ${copied}, dead-lettered ${deadLettered}; ` +
      `rows in the table before ${rowsBefore}, after ${rowsAfter}`,
    {
      fix: 'if nobody else wrote to the table during the run, please report this; then run again with --restart.',
    },
  );
}

async function stopWithin(supervisor: Supervisor, graceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new TargetError(`workers did not leave within ${graceMs / 1000} s`));
    }, graceMs);
  });
  try {
    await Promise.race([supervisor.stop(), isLate]);
  } finally {
    clearTimeout(timer);
  }
}
