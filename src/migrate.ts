/** Copies one collection or several: connects to both sides, brings up the workers, and runs one migration after the other. */

import type pg from 'pg';
import type { Config } from './config.ts';
import { openSource, primarySession } from './connections.ts';
import {
  InterruptedError,
  MigrationError,
  NoCollectionError,
  NothingToCopyError,
  SourceChangedError,
} from './errors.ts';
import type { Failure, Outcome, RunEvent, Summary } from './events.ts';
import { Migration } from './migration.ts';
import { chooseTable } from './plan/make-plan.ts';
import type { PlanFile } from './plan/plan-file.ts';
import type { Pool } from './pool/pool.ts';
import type { Supervisor } from './pool/supervisor.ts';
import { explainDatabaseError } from './postgres/connection.ts';
import { finishJob, listBegun, markCollection, openJob, planJob } from './postgres/jobs.ts';
import { hasLedger } from './postgres/ledger.ts';
import { describeRun } from './postgres/run-decision.ts';
import { lockJob, lockTable } from './postgres/run-lock.ts';
import { findUnfinishedRun } from './postgres/runs.ts';
import { requireServer } from './postgres/server-check.ts';
import { withSession, type Session, type SessionOptions } from './postgres/session.ts';
import type { Recorder } from './report/recorder.ts';
import { chooseCollections, describeSelection, namesSeveral } from './source/collection-choice.ts';
import type { Database } from './source/database.ts';
import type { Source } from './source/source.ts';
import { bringUpWorkers, chooseSize, dismissWorkers } from './workforce.ts';

export interface MigrateOptions {
  onEvent(event: RunEvent): void;
  /** Aborting it ends reading; what is in flight is committed, then the run stops with the signal's reason. */
  readonly signal: AbortSignal;
  /** The servers are for trying out: a run in the way is replaced without being asked. */
  readonly isTrial: boolean;
  /** The plan to follow, or null to infer one; only for a single collection. */
  readonly planFile: PlanFile | null;
  /** Where the workers come from. */
  readonly pool: Pool;
  /** Records the job for a report; null when none is asked for. */
  readonly recorder: Recorder | null;
}

/** Takes a lock on a connection. */
type Lock = (client: pg.Client) => Promise<void>;

/**
 * Migrates the collections that the config names. Its URLs are those of servers that run.
 * @throws MigrationError with the exit code of the side that failed
 */
export async function migrate(config: Config, options: MigrateOptions): Promise<Outcome> {
  /** Locks end with the connection that took them. */
  const locks: Lock[] = [];
  const sessionOptions: SessionOptions = {
    ...primarySession(config, options),
    onConnect: async (client) => {
      for (const take of locks) await take(client);
    },
  };
  return await withSession(sessionOptions, async (session) => {
    const lock = async (take: Lock): Promise<void> => {
      await session.run(take, 'long');
      locks.push(take);
    };
    return await new Job(config, options, session, lock).execute();
  });
}

class Job {
  readonly #config: Config;
  readonly #options: MigrateOptions;
  readonly #session: Session;
  readonly #lock: (take: Lock) => Promise<void>;
  #size = 0;
  #supervisor: Supervisor | undefined;
  #migration: Migration | undefined;

  constructor(
    config: Config,
    options: MigrateOptions,
    session: Session,
    lock: (take: Lock) => Promise<void>,
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
      const database = await openSource(this.#config, this.#options);
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
    const { mongoCollection, excludeCollections, postgresSchema, isRestart } = this.#config;
    const infos = await database.listCollections();
    const { chosen, left } = chooseCollections(infos, mongoCollection, excludeCollections);
    for (const { name, reason } of left) this.#notify(`${database.name}.${name} is left out: ${reason}`);
    const selection = describeSelection(this.#config);
    const request = { sourceDb: database.name, schema: postgresSchema, selection, isRestart };
    const jobId = await this.#session.transaction((client) => openJob(client, request));
    await this.#lock((client) => lockJob(client, jobId));
    const there = chosen.map(({ name }) => name);
    // What was begun and is gone is not forgotten: it fails.
    const begun = await this.#session.run((client) => listBegun(client, jobId));
    const names = [...begun.filter((name) => !there.includes(name)), ...there];
    const gone = await this.#session.transaction((client) => planJob(client, jobId, names));
    for (const name of gone) this.#notify(`${database.name}.${name} is left out: it is not there any more`);
    const mark = (name: string, outcome: 'failed' | 'left_out', detail: string): Promise<void> =>
      this.#session.run((client) => markCollection(client, jobId, name, outcome, detail));

    const summaries: Summary[] = [];
    const failures: Failure[] = [];
    for (const [index, name] of names.entries()) {
      try {
        const summary = await this.#copy(database, name, jobId, index === names.length - 1);
        if (summary !== null) summaries.push(summary);
      } catch (error) {
        if (error instanceof NothingToCopyError) {
          this.#notify(`left out: ${error.message}`);
          await mark(name, 'left_out', error.message);
          continue;
        }
        if (!(error instanceof MigrationError) || isEndOfAll(error, this.#options.signal)) throw error;
        const { message, fix, exitCode } = error;
        failures.push({ source: `${database.name}.${name}`, message, fix, exitCode });
        this.#notify(`${database.name}.${name} failed: ${message}`);
        await mark(name, 'failed', message);
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
    try {
      return await this.#copyCollection(database, collection, jobId, isLast);
    } catch (thrown) {
      const error = explainDatabaseError(thrown, this.#config.postgresUrl);
      if (!(error instanceof InterruptedError || error instanceof NothingToCopyError)) {
        const message = error instanceof Error ? error.message : String(error);
        this.#options.onEvent({ kind: 'failed', source: `${database.name}.${collection}`, message });
      }
      throw error;
    }
  }

  async #copyCollection(
    database: Database,
    collection: string,
    jobId: string | null,
    isLast: boolean,
  ): Promise<Summary | null> {
    const table = chooseTable(this.#config.postgresSchema, collection, this.#options.planFile);
    const source = await this.#open(database, collection);
    await this.#lock((client) => lockTable(client, table));
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

  /** @throws SourceChangedError where a run of it is not finished, and nothing is left to finish it with */
  async #open(database: Database, collection: string): Promise<Source> {
    try {
      return await database.open(collection, this.#config.filter);
    } catch (error) {
      if (!(error instanceof NothingToCopyError || error instanceof NoCollectionError)) throw error;
      const name = `${database.name}.${collection}`;
      const run = await this.#session.run(async (client) =>
        (await hasLedger(client)) ? await findUnfinishedRun(client, name, this.#config.postgresSchema) : null,
      );
      if (run === null) throw error;
      throw new SourceChangedError(`${error.message}, and ${describeRun(run)} is not finished`, {
        code: error instanceof NothingToCopyError ? 'SOURCE_EMPTIED' : 'SOURCE_VANISHED',
        fix: 'with the documents that it was begun with, the same command goes on.',
        cause: error,
      });
    }
  }

  #bringUp(): Supervisor {
    const supervisor = bringUpWorkers(this.#config, this.#options.pool, this.#size, {
      onNotice: (message) => {
        this.#notify(message);
      },
      onDeath: (id) => {
        this.#options.onEvent({ kind: 'worker-died', id });
      },
      onSettled: (batch) => {
        this.#migration?.onSettled(batch);
      },
      onAck: (ack) => {
        this.#migration?.onAck(ack);
        if (ack.retries !== undefined) {
          this.#options.onEvent({ kind: 'retried', server: 'postgres', times: ack.retries });
        }
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

  #notify(message: string): void {
    this.#options.onEvent({ kind: 'notice', message });
  }
}

/** The user wants to stop, or a server is gone that the other collections need as well. */
function isEndOfAll(error: MigrationError, signal: AbortSignal): boolean {
  return signal.aborted || error instanceof InterruptedError || error.isServerGone;
}
