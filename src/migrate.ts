/** One run, from end to end: source → pool of workers → table, and the proof that nothing was lost on the way. */

import { availableParallelism } from 'node:os';
import pg from 'pg';
import type { Config } from './config.ts';
import { ExitCode, MigrationError, TargetError } from './errors.ts';
import type { RunEvent, Summary } from './events.ts';
import { readPeakRssBytes } from './memory.ts';
import { inferColumns } from './plan/infer.ts';
import { toIdentifier } from './plan/names.ts';
import type { Plan } from './plan/plan.ts';
import { createPool } from './pool/pool.ts';
import { Supervisor } from './pool/supervisor.ts';
import { readConnectionsLeft } from './postgres/capacity.ts';
import {
  closePostgres,
  connectPostgres,
  describePostgres,
  explainPostgresError,
} from './postgres/connection.ts';
import { countRows } from './postgres/ddl.ts';
import { countDeadLetters, createLedger, finishRun, openRun, readTotals } from './postgres/ledger.ts';
import { checkTarget, finishTarget, prepareTarget } from './postgres/target.ts';
import { ExtraTally } from './extra-tally.ts';
import { openCollection } from './source/collection.ts';
import type { Source } from './source/source.ts';

/** A worker has only its connection to close by then; one that takes longer hangs, and is killed. */
const shutdownGraceMs = 10_000;

export interface MigrateOptions {
  onEvent(event: RunEvent): void;
  /** Aborting it ends reading; what is in flight is committed, then the run stops with the signal's reason. */
  readonly signal: AbortSignal;
  /** Replace, without being asked, a table that an earlier run made. For trial servers. */
  readonly replaceOwnTable: boolean;
}

/**
 * Migrates one collection. The config's URLs are those of servers that run.
 * @throws MigrationError with the exit code of the side that failed
 */
export async function migrate(config: Config, options: MigrateOptions): Promise<Summary> {
  const source = await openCollection({
    url: config.mongoUrl,
    db: config.mongoDb,
    collection: config.mongoCollection,
  });
  try {
    const client = await connectPostgres(config.postgresUrl, 'mongo2pg primary');
    try {
      return await new Run(config, options, source, client).execute();
    } catch (error) {
      throw error instanceof MigrationError || !isFromPostgres(error)
        ? error
        : explainPostgresError(error, config.postgresUrl);
    } finally {
      await closePostgres(client);
    }
  } finally {
    await source.close();
  }
}

/** The state of one run while it goes. */
class Run {
  readonly #config: Config;
  readonly #options: MigrateOptions;
  readonly #source: Source;
  readonly #client: pg.Client;
  readonly #extra = new ExtraTally();
  readonly #startedMs = performance.now();
  #loadStartedMs = 0;
  #read = 0;
  #acked = 0;
  #bytes = 0;

  constructor(config: Config, options: MigrateOptions, source: Source, client: pg.Client) {
    this.#config = config;
    this.#options = options;
    this.#source = source;
    this.#client = client;
  }

  async execute(): Promise<Summary> {
    const client = this.#client;
    const table = { schema: this.#config.postgresSchema, table: toIdentifier(this.#config.mongoCollection) };
    const ifExists = await checkTarget(client, table, this.#config.ifExists, this.#options.replaceOwnTable);
    const plan = await this.#makePlan(table);
    const planMs = this.#elapsedMs();

    await createLedger(client);
    await prepareTarget(client, plan, ifExists);
    const rowsBefore = await countRows(client, plan);
    const runId = await openRun(client, this.#source.name, plan);
    const supervisor = await this.#load(plan, runId);
    const loadMs = this.#elapsedMs() - planMs;

    this.#options.onEvent({ kind: 'finishing' });
    await finishTarget(client, plan);
    const indexMs = this.#elapsedMs() - planMs - loadMs;
    const totals = await readTotals(client, runId);
    const summary: Summary = {
      runId,
      source: this.#source.name,
      target: describePostgres(this.#config.postgresUrl),
      schema: plan.schema,
      table: plan.table,
      read: this.#read,
      copied: totals.copied,
      deadLettered: totals.deadLettered,
      deadLetterReasons: await countDeadLetters(client, runId),
      rowsBefore,
      rowsAfter: await countRows(client, plan),
      extra: this.#extra.list(),
      bytes: this.#bytes,
      workers: supervisor.peakRssBytes.length,
      planMs,
      loadMs,
      indexMs,
      totalMs: this.#elapsedMs(),
      primaryPeakRssBytes: readPeakRssBytes(),
      workerPeakRssBytes: supervisor.peakRssBytes,
    };
    requireBalance(summary);
    await finishRun(client, runId);
    this.#options.onEvent({ kind: 'summary', ...summary });
    return summary;
  }

  async #makePlan(table: Pick<Plan, 'schema' | 'table'>): Promise<Plan> {
    const sample = await this.#source.sample(this.#config.sampleSize);
    const { columns, extraColumn, notices } = inferColumns(sample);
    for (const message of notices) this.#notify(message);
    return { collection: this.#source.name, ...table, columns, extraColumn };
  }

  /** Reads every page and has it loaded; resolves when all is committed and every worker is gone. */
  async #load(plan: Plan, runId: string): Promise<Supervisor> {
    const config = this.#config;
    const supervisor = await this.#createSupervisor(plan, runId);
    try {
      await supervisor.start();
      this.#options.onEvent({
        kind: 'started',
        source: this.#source.name,
        target: describePostgres(config.postgresUrl),
        plan,
        workers: supervisor.workerCount,
        workerPids: supervisor.workerPids,
        expectedDocuments: config.amountUsers ?? (await this.#source.estimateCount()),
      });
      this.#loadStartedMs = performance.now();
      await this.#feed(supervisor);
      await supervisor.drain();
      await stopWithin(supervisor, shutdownGraceMs);
      this.#options.signal.throwIfAborted();
      return supervisor;
    } catch (error) {
      await supervisor.kill();
      throw error;
    }
  }

  async #feed(supervisor: Supervisor): Promise<void> {
    let number = 0;
    let afterId: Uint8Array | null = null;
    for await (const page of this.#source.pages(this.#config.itemsPerPage)) {
      if (this.#options.signal.aborted) return;
      this.#read += page.count;
      await supervisor.submit({ number: ++number, afterId, ...page });
      afterId = page.lastId;
    }
  }

  async #createSupervisor(plan: Plan, runId: string): Promise<Supervisor> {
    const { clusterImplementation, clusterSizeMultiplier, maxInFlightBytes, postgresUrl } = this.#config;
    const wanted = this.#config.clusterSize ?? availableParallelism() * clusterSizeMultiplier;
    const size = Math.min(wanted, await readConnectionsLeft(this.#client));
    if (size < wanted) {
      this.#notify(`${size} workers instead of ${wanted}: PostgreSQL has no more connections left`);
    }
    return new Supervisor({
      pool: createPool(clusterImplementation),
      size,
      maxInFlightBytes,
      settings: { postgresUrl, runId, plan },
      onNotice: (message) => {
        this.#notify(message);
      },
      onAck: (ack, batch) => {
        this.#extra.add(ack.extra);
        this.#acked += batch.count;
        this.#bytes += batch.documents.byteLength;
        this.#options.onEvent({
          kind: 'progress',
          documents: this.#acked,
          bytes: this.#bytes,
          elapsedMs: performance.now() - this.#loadStartedMs,
          workers: size,
        });
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
  throw new MigrationError(
    ExitCode.target,
    `the account does not balance: read ${read}, copied ${copied}, dead-lettered ${deadLettered}; ` +
      `rows in the table before ${rowsBefore}, after ${rowsAfter}`,
    {
      fix: 'if nobody else wrote to the table during the run, please report this; then run again with --if-exists drop.',
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

/** The errors of Postgres itself; those of the connection were explained where they arose. */
function isFromPostgres(error: unknown): boolean {
  return error instanceof pg.DatabaseError;
}
