/** Copies one collection or several: connects to both sides, brings up the workers, and runs one migration after the other. */

import pg from 'pg';
import type { Config } from './config.ts';
import { InterruptedError, MigrationError, NothingToCopyError } from './errors.ts';
import type { Failure, Outcome, RunEvent, Summary } from './events.ts';
import { Migration } from './migration.ts';
import { chooseTable } from './plan/make-plan.ts';
import type { PlanFile } from './plan/plan-file.ts';
import type { Plan } from './plan/plan.ts';
import type { Supervisor } from './pool/supervisor.ts';
import { explainPostgresError } from './postgres/connection.ts';
import { finishJob, openJob } from './postgres/jobs.ts';
import { lockTable } from './postgres/run-lock.ts';
import { requireServer } from './postgres/server-check.ts';
import { Session } from './postgres/session.ts';
import type { Recorder } from './report/recorder.ts';
import { chooseCollections, describeSelection, namesSeveral } from './source/collection-choice.ts';
import type { Database } from './source/database.ts';
import { bringUpWorkers, chooseSize, dismissWorkers } from './workforce.ts';

export interface MigrateOptions {
  onEvent(event: RunEvent): void;
  /** Aborting it ends reading; what is in flight is committed, then the run stops with the signal's reason. */
  readonly signal: AbortSignal;
  /** The servers are for trying out: a run in the way is replaced without being asked. */
  readonly isTrial: boolean;
  /** The plan to follow, or null to infer one; only for a single collection. */
  readonly planFile: PlanFile | null;
  /** Records the job for a report; null when none is asked for. */
  readonly recorder: Recorder | null;
}

type Table = Pick<Plan, 'schema' | 'table'>;

/**
 * Migrates the collections that the config names. Its URLs are those of servers that run.
 * @throws MigrationError with the exit code of the side that failed
 */
export async function migrate(config: Config, options: MigrateOptions): Promise<Outcome> {
  /** Locks end with the connection that took them. */
  const locked: Table[] = [];
  const session = await Session.open({
    url: config.postgresUrl,
    applicationName: 'mongo2pg primary',
    retryLimitMs: config.retryLimitMs,
    answerTimeoutMs: config.answerTimeoutMs,
    onConnect: async (client) => {
      for (const table of locked) await lockTable(client, table);
    },
    onLost: (reason) => {
      options.onEvent({ kind: 'notice', message: `the connection to PostgreSQL is made anew (${reason})` });
    },
    signal: options.signal,
  });
  const lock = async (table: Table): Promise<void> => {
    await session.run((client) => lockTable(client, table), 'long');
    locked.push(table);
  };
  try {
    return await new Job(config, options, session, lock).execute();
  } catch (error) {
    // The errors of Postgres itself; those of the connection were explained where they arose.
    throw error instanceof pg.DatabaseError ? explainPostgresError(error, config.postgresUrl) : error;
  } finally {
    await session.close();
  }
}

class Job {
  readonly #config: Config;
  readonly #options: MigrateOptions;
  readonly #session: Session;
  readonly #lock: (table: Table) => Promise<void>;
  #size = 0;
  #supervisor: Supervisor | undefined;
  #migration: Migration | undefined;

  constructor(
    config: Config,
    options: MigrateOptions,
    session: Session,
    lock: (table: Table) => Promise<void>,
  ) {
    this.#config = config;
    this.#options = options;
    this.#session = session;
    this.#lock = lock;
  }

  async execute(): Promise<Outcome> {
    await this.#session.run(requireServer);
    this.#size = await chooseSize(this.#config, this.#session, (message) => {
      this.#notify(message);
    });
    // First of all: processes take longer to come up than a plan takes to be made.
    this.#bringUp();
    try {
      const database = await this.#connectSource();
      try {
        const outcome = namesSeveral(this.#config.mongoCollection)
          ? await this.#copySeveral(database)
          : await this.#copySingle(database);
        if (this.#supervisor !== undefined) await this.#dismiss(this.#supervisor);
        return outcome;
      } finally {
        await database.close();
      }
    } finally {
      // After an orderly end there is none left.
      await this.#supervisor?.kill();
    }
  }

  async #copySingle(database: Database): Promise<Outcome> {
    const summary = await this.#copy(database, this.#config.mongoCollection, null, true);
    return { summaries: summary === null ? [] : [summary], failures: [] };
  }

  /** One after the other; what one fails at is no reason to leave the others. */
  async #copySeveral(database: Database): Promise<Outcome> {
    const { mongoDb, mongoCollection, excludeCollections, postgresSchema, isRestart } = this.#config;
    const infos = await database.listCollections();
    const { chosen, left } = chooseCollections(infos, mongoCollection, excludeCollections);
    for (const { name, reason } of left) this.#notify(`${mongoDb}.${name} is left out: ${reason}`);
    const selection = describeSelection(this.#config);
    const request = { sourceDb: mongoDb, schema: postgresSchema, selection, isRestart };
    const jobId = await this.#session.transaction((client) => openJob(client, request));

    const summaries: Summary[] = [];
    const failures: Failure[] = [];
    for (const [index, { name }] of chosen.entries()) {
      try {
        const summary = await this.#copy(database, name, jobId, index === chosen.length - 1);
        if (summary !== null) summaries.push(summary);
      } catch (error) {
        if (error instanceof NothingToCopyError) {
          this.#notify(`left out: ${error.message}`);
          continue;
        }
        const failure = this.#explain(error);
        if (!(failure instanceof MigrationError) || isEndOfAll(failure, this.#options.signal)) throw failure;
        const { message, fix, exitCode } = failure;
        failures.push({ source: `${mongoDb}.${name}`, message, fix, exitCode });
        this.#notify(`${mongoDb}.${name} failed: ${message}`);
        // Whatever its workers hold is of a run that is over.
        await this.#supervisor?.kill();
        this.#supervisor = undefined;
      }
    }
    if (failures.length === 0) await this.#session.transaction((client) => finishJob(client, jobId));
    return { summaries, failures };
  }

  /** @returns null when there was nothing to copy, as one of several */
  async #copy(
    database: Database,
    collection: string,
    jobId: string | null,
    isLast: boolean,
  ): Promise<Summary | null> {
    const table = chooseTable(this.#config.postgresSchema, collection, this.#options.planFile);
    const source = await database.open(collection);
    await this.#lock(table);
    const supervisor = this.#supervisor ?? this.#bringUp();
    this.#migration = new Migration({
      config: this.#config,
      session: this.#session,
      supervisor,
      source,
      table,
      jobId,
      ...this.#options,
      onLoaded: async () => {
        // The memory and the connections of workers serve the indexes better.
        if (isLast) await this.#dismiss(supervisor);
      },
    });
    return await this.#migration.execute();
  }

  async #connectSource(): Promise<Database> {
    const { mongoUrl, mongoDb, filter, retryLimitMs, answerTimeoutMs } = this.#config;
    // Here and not at the top: loading the driver takes as long as starting a worker, and the workers start meanwhile.
    const { Database } = await import('./source/database.ts');
    return await Database.connect({
      url: mongoUrl,
      db: mongoDb,
      filter,
      retryLimitMs,
      answerTimeoutMs,
      signal: this.#options.signal,
      onRetry: (reason) => {
        this.#notify(`MongoDB is tried again (${reason})`);
      },
    });
  }

  #bringUp(): Supervisor {
    const supervisor = bringUpWorkers(this.#config, this.#size, {
      onNotice: (message) => {
        this.#notify(message);
      },
      onDeath: (pid) => {
        this.#options.onEvent({ kind: 'worker-died', pid });
      },
      onSettled: (batch) => {
        this.#migration?.onSettled(batch);
      },
      onAck: (ack) => {
        this.#migration?.onAck(ack);
      },
    });
    this.#supervisor = supervisor;
    return supervisor;
  }

  #dismiss(supervisor: Supervisor): Promise<void> {
    return dismissWorkers(supervisor, (message) => {
      this.#notify(message);
    });
  }

  #explain(error: unknown): unknown {
    return error instanceof pg.DatabaseError ? explainPostgresError(error, this.#config.postgresUrl) : error;
  }

  #notify(message: string): void {
    this.#options.onEvent({ kind: 'notice', message });
  }
}

/** The user wants to stop, or a server is gone that the other collections need as well. */
function isEndOfAll(error: MigrationError, signal: AbortSignal): boolean {
  return signal.aborted || error instanceof InterruptedError || error.isServerGone;
}
