/** One run, from end to end: source → pool of workers → table, and the proof that nothing was lost on the way. */

import { availableParallelism } from 'node:os';
import pg from 'pg';
import type { Config } from './config.ts';
import { ExitCode, MigrationError, TargetError } from './errors.ts';
import type { RunEvent, Summary } from './events.ts';
import { readPeakRssBytes } from './memory.ts';
import { chooseTable, makePlan } from './plan/make-plan.ts';
import type { PlanFile } from './plan/plan-file.ts';
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
import type { Source } from './source/source.ts';

/** A worker has only its connection to close by then; one that takes longer hangs, and is killed. */
const shutdownGraceMs = 10_000;

export interface MigrateOptions {
  onEvent(event: RunEvent): void;
  /** Aborting it ends reading; what is in flight is committed, then the run stops with the signal's reason. */
  readonly signal: AbortSignal;
  /** Replace, without being asked, a table that an earlier run made. For trial servers. */
  readonly replaceOwnTable: boolean;
  /** The plan to follow, or null to infer one. */
  readonly planFile: PlanFile | null;
}

/**
 * Migrates one collection. The config's URLs are those of servers that run.
 * @throws MigrationError with the exit code of the side that failed
 */
export async function migrate(config: Config, options: MigrateOptions): Promise<Summary> {
  const client = await connectPostgres(config.postgresUrl, 'mongo2pg primary');
  try {
    return await new Run(config, options, client).execute();
  } catch (error) {
    // The errors of Postgres itself; those of the connection were explained where they arose.
    throw error instanceof pg.DatabaseError ? explainPostgresError(error, config.postgresUrl) : error;
  } finally {
    await closePostgres(client);
  }
}

/** The state of one run while it goes. */
class Run {
  readonly #config: Config;
  readonly #options: MigrateOptions;
  readonly #client: pg.Client;
  readonly #extra = new ExtraTally();
  readonly #startedMs = performance.now();
  #loadStartedMs = 0;
  #read = 0;
  #acked = 0;
  #bytes = 0;

  constructor(config: Config, options: MigrateOptions, client: pg.Client) {
    this.#config = config;
    this.#options = options;
    this.#client = client;
  }

  async execute(): Promise<Summary> {
    const supervisor = this.#createSupervisor(await this.#chooseSize());
    // First of all: processes take longer to come up than a plan takes to be made.
    supervisor.spawn();
    try {
      const source = await this.#openSource();
      try {
        return await this.#copy(source, supervisor);
      } finally {
        await source.close();
      }
    } finally {
      // After an orderly end there is none left.
      await supervisor.kill();
    }
  }

  async #copy(source: Source, supervisor: Supervisor): Promise<Summary> {
    const client = this.#client;
    const { postgresUrl } = this.#config;
    const table = chooseTable(this.#config, this.#options.planFile);
    const ifExists = await checkTarget(client, table, this.#config.ifExists, this.#options.replaceOwnTable);
    const plan = await this.#makePlan(source);
    const planMs = this.#elapsedMs();

    await createLedger(client);
    const isOwnTable = await prepareTarget(client, plan, ifExists);
    const rowsBefore = await countRows(client, plan);
    const runId = await openRun(client, source.name, plan);
    supervisor.begin({ postgresUrl, runId, plan });
    await this.#announce(source, plan, supervisor);
    await this.#load(source, supervisor);
    const loadMs = this.#elapsedMs() - planMs;

    this.#options.onEvent({ kind: 'finishing' });
    await finishTarget(client, plan, isOwnTable);
    const indexMs = this.#elapsedMs() - planMs - loadMs;
    const totals = await readTotals(client, runId);
    const summary: Summary = {
      runId,
      source: source.name,
      target: describePostgres(postgresUrl),
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

  async #openSource(): Promise<Source> {
    const { mongoUrl, mongoDb, mongoCollection, filter } = this.#config;
    // Here and not at the top: loading the driver takes as long as starting a worker, and the workers start meanwhile.
    const { openCollection } = await import('./source/collection.ts');
    return await openCollection({ url: mongoUrl, db: mongoDb, collection: mongoCollection, filter });
  }

  async #makePlan(source: Source): Promise<Plan> {
    const { plan, notices } = await makePlan(source, this.#config, this.#options.planFile);
    for (const message of notices) this.#notify(message);
    return plan;
  }

  async #announce(source: Source, plan: Plan, supervisor: Supervisor): Promise<void> {
    this.#options.onEvent({
      kind: 'started',
      source: source.name,
      target: describePostgres(this.#config.postgresUrl),
      plan,
      workers: supervisor.workerCount,
      workerPids: supervisor.workerPids,
      expectedDocuments: this.#config.amountUsers ?? (await source.estimateCount()),
    });
  }

  /** Reads every page and has it loaded; resolves when all is committed and every worker is gone. */
  async #load(source: Source, supervisor: Supervisor): Promise<void> {
    this.#loadStartedMs = performance.now();
    let number = 0;
    let afterId: Uint8Array | null = null;
    for await (const page of source.pages(this.#config.itemsPerPage)) {
      if (this.#options.signal.aborted) break;
      this.#read += page.count;
      await supervisor.submit({ number: ++number, afterId, ...page });
      afterId = page.lastId;
    }
    await supervisor.drain();
    await stopWithin(supervisor, shutdownGraceMs);
    this.#options.signal.throwIfAborted();
  }

  async #chooseSize(): Promise<number> {
    const { clusterSize, clusterSizeMultiplier } = this.#config;
    const wanted = clusterSize ?? availableParallelism() * clusterSizeMultiplier;
    const size = Math.min(wanted, await readConnectionsLeft(this.#client));
    if (size < wanted) {
      this.#notify(`${size} workers instead of ${wanted}: PostgreSQL has no more connections left`);
    }
    return size;
  }

  #createSupervisor(size: number): Supervisor {
    return new Supervisor({
      pool: createPool(this.#config.clusterImplementation),
      size,
      maxInFlightBytes: this.#config.maxInFlightBytes,
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
