/** Copies one collection or several: connects to both sides, brings up the workers, and has each collection migrated. */

import type { Config } from '../config/config.ts';
import { openSource } from './connections.ts';
import {
  InterruptedError,
  NoCollectionError,
  NothingToCopyError,
  SourceChangedError,
} from '../common/errors.ts';
import type { Outcome } from '../observe/events.ts';
import { describeFailure, isEndOfAll } from './failure.ts';
import { Follower } from './follow/follower.ts';
import { withLane, type Lane } from './lane.ts';
import { Listeners, type JobListener } from '../observe/listeners.ts';
import { Migration, type Copied } from './run.ts';
import { chooseTable } from '../plan/make-plan.ts';
import type { RunStream } from './prepare.ts';
import type { Pool } from '../workers/pool/pool.ts';
import { explainDatabaseError } from '../postgres/connection/connection.ts';
import { finishJob, listBegun, markCollection, openJob, planJob } from '../postgres/ledger/jobs.ts';
import { hasLedger, upgradeLedger } from '../postgres/ledger/ledger.ts';
import { describeRun } from '../postgres/ledger/run-decision.ts';
import { lockJob, lockTable } from '../postgres/ledger/run-lock.ts';
import { findUnfinishedRun } from '../postgres/ledger/runs.ts';
import { requireServer } from '../postgres/connection/server-check.ts';
import { countLanes, listSmall, runSideBySide } from './side-by-side.ts';
import { chooseCollections, describeSelection, namesSeveral } from '../config/collection-choice.ts';
import type { Database } from '../source/database.ts';
import type { Source } from '../source/source.ts';
import { chooseSize, Workforce, type Size } from './workforce.ts';
import type { PlanFile } from '../plan/file/plan-schema.ts';

export interface MigrateOptions {
  /** Each is told in this order. */
  readonly listeners: readonly JobListener[];
  /** Aborting it ends reading; what is in flight is committed, then the run stops with the signal's reason. */
  readonly signal: AbortSignal;
  /** The servers are for trying out: a run in the way is replaced without being asked. */
  readonly isTrial: boolean;
  /** The plan to follow, or null to infer one; only for a single collection. */
  readonly planFile: PlanFile | null;
  /** Where the workers come from. */
  readonly pool: Pool;
}

/**
 * Migrates the collections that the config names. Its URLs are those of servers that run.
 * @throws MigrationError with the exit code of the side that failed
 */
export async function migrate(config: Config, options: MigrateOptions): Promise<Outcome> {
  const startedMs = performance.now();
  const listeners = new Listeners(options.listeners);
  const { onEvent } = listeners;
  const audience = { onEvent, signal: options.signal };
  return await withLane(config, audience, async (lane) => {
    await lane.session.run(requireServer);
    const size = await chooseSize(config, lane.session, onEvent);
    const workforce = new Workforce(config, options.pool, size.workers, { onEvent, signal: options.signal });
    try {
      const upgrading = upgradeLedger(lane.session);
      // Awaited below: to reach the source takes as long.
      upgrading.catch(() => undefined);
      const database = await openSource(config, audience);
      try {
        await upgrading;
        const job = new Job({ ...options, config, listeners, database, workforce, size });
        const result = await job.execute(lane);
        await workforce.dismiss();
        return { ...result, totalMs: performance.now() - startedMs };
      } finally {
        await database.close();
      }
    } finally {
      await workforce.kill();
    }
  });
}

interface JobOptions extends Omit<MigrateOptions, 'listeners'> {
  /** Set where changes are followed. */
  readonly follower?: Follower;
  readonly config: Config;
  readonly listeners: Listeners;
  readonly database: Database;
  readonly workforce: Workforce;
  readonly size: Size;
}

/** What became of a collection, or of several. */
type Result = Omit<Outcome, 'totalMs'>;

/** Nothing to tell of: it has nothing to be copied. */
const nothing: Result = { summaries: [], copiedBefore: [], failures: [] };

interface CopyOptions {
  /** Of the ledger; null for a single collection. */
  readonly jobId: string | null;
  /** Nothing is copied after it, nor beside it. */
  readonly isLast: boolean;
  readonly signal: AbortSignal;
  /** How many of its indexes are built at a time. */
  readonly indexJobs: number;
}

class Job {
  readonly #options: JobOptions;

  constructor(options: JobOptions) {
    this.#options = options;
  }

  /** @param lane for all that is not done side by side */
  async execute(lane: Lane): Promise<Result> {
    if (!this.#options.config.follow) return await this.#copyAll(lane);
    const { config, database, listeners, signal } = this.#options;
    const { onEvent } = listeners;
    const follower = await Follower.open({ config, database, lane, onEvent, signal });
    try {
      // What is copied beside changes that are lost is of no use.
      const both = AbortSignal.any([signal, follower.failure]);
      const job = new Job({ ...this.#options, signal: both, follower, isTrial: false });
      return await job.#copyAndFollow(lane, follower);
    } catch (error) {
      throw follower.failure.aborted && !signal.aborted ? follower.failure.reason : error;
    } finally {
      await follower.close();
    }
  }

  async #copyAndFollow(lane: Lane, follower: Follower): Promise<Result> {
    const { config, database, listeners, workforce } = this.#options;
    const { mongoCollection } = config;
    let result = await this.#copyAll(lane);
    const leftOut = new Map<string, number>();
    while (result.failures.length === 0) {
      const end = await follower.follow(await workforce.supervise(), leftOut);
      switch (end.kind) {
        case 'cut-over':
          listeners.onEvent({ kind: 'cut-over', source: `${database.name}.${describeSelection(config)}` });
          return result;
        case 'new':
          // Of one without documents there is nothing to copy, until there are more changes of it.
          for (const name of end.collections) leftOut.set(name, follower.changesOf(name));
          if (!namesSeveral(mongoCollection)) break;
          result = join([result, await this.#copySeveral(lane, end.collections)]);
          for (const name of end.collections) {
            if ((await follower.findRun(name)) !== null) leftOut.delete(name);
          }
          break;
        case 'ended':
          return { ...result, failures: end.failures };
      }
    }
    return result;
  }

  async #copyAll(lane: Lane): Promise<Result> {
    const { config, signal } = this.#options;
    const { mongoCollection, indexJobs } = config;
    if (namesSeveral(mongoCollection)) return await this.#copySeveral(lane);
    if ((await this.#listEnded()).has(mongoCollection)) return nothing;
    const alone = { jobId: null, isLast: true, signal, indexJobs };
    return toResult(await this.#copy(lane, mongoCollection, alone));
  }

  /**
   * The large ones one after the other, then the small ones side by side. What one fails at is no reason to leave the
   * others.
   * @param wanted only these of them: the others are followed already
   * @returns an account of each, in the order of their size
   */
  async #copySeveral(lane: Lane, wanted?: readonly string[]): Promise<Result> {
    const { config, listeners, database, size, signal } = this.#options;
    const { mongoCollection, excludeCollections, postgresSchema, restart: isRestart, indexJobs } = config;
    const infos = await database.listCollections();
    const ended = await this.#listEnded();
    const gone = [...ended].filter((name) => !infos.some((info) => info.name === name));
    const asListed = gone.map((name) => ({ name, type: 'collection', bytes: 0 }));
    const { chosen: all, left } = chooseCollections(
      [...infos, ...asListed],
      mongoCollection,
      excludeCollections,
    );
    const chosen = all.filter(({ name }) => !ended.has(name) && (wanted?.includes(name) ?? true));
    for (const { name, reason } of left) {
      listeners.onEvent({ kind: 'skipped', source: `${database.name}.${name}`, reason });
    }
    const selection = describeSelection(config);
    const request = { sourceDb: database.name, schema: postgresSchema, selection, isRestart };
    const jobId = await lane.session.transaction((client) => openJob(client, request));
    await lane.lock((client) => lockJob(client, jobId));
    const there = chosen.map(({ name }) => name);
    // What was begun and is gone is not forgotten: it fails.
    const begun = await lane.session.run((client) => listBegun(client, jobId));
    const missing = wanted === undefined ? begun.filter((name) => !there.includes(name)) : [];
    const names = [...missing, ...there];
    const unbegun = await lane.session.transaction((client) => planJob(client, jobId, names));
    for (const name of unbegun) {
      const reason = 'it is not there any more';
      listeners.onEvent({ kind: 'skipped', source: `${database.name}.${name}`, reason });
    }

    const small = listSmall(chosen);
    const large = names.filter((name) => !small.includes(name));
    const results = new Map<string, Result>();
    const copyAlone = { jobId, signal, indexJobs };
    for (const name of large) {
      const isLast = small.length === 0 && name === large.at(-1);
      results.set(name, await this.#copyOneOfSeveral(lane, name, { ...copyAlone, isLast }));
    }
    await runSideBySide(small, {
      lanes: countLanes(small.length, size),
      lane,
      openLane: (use) => withLane(config, { onEvent: listeners.onEvent, signal }, use, 'retry'),
      signal,
      work: async (name, laneOfIts, signalOfAll) => {
        const copyBeside = { jobId, signal: signalOfAll, indexJobs: 1, isLast: false };
        results.set(name, await this.#copyOneOfSeveral(laneOfIts, name, copyBeside));
      },
    });
    const result = join(names.map((name) => results.get(name) ?? nothing));
    // What is followed goes on as the same job, until it is cut over.
    if (result.failures.length === 0 && !config.follow) {
      await lane.session.transaction((client) => finishJob(client, jobId));
    }
    return result;
  }

  /** @throws what ends the others as well */
  async #copyOneOfSeveral(
    lane: Lane,
    name: string,
    options: CopyOptions & { jobId: string },
  ): Promise<Result> {
    const { database, listeners } = this.#options;
    const source = `${database.name}.${name}`;
    const mark = (outcome: 'failed' | 'left_out', detail: string): Promise<void> =>
      lane.session.run((client) => markCollection(client, options.jobId, name, outcome, detail));
    try {
      return toResult(await this.#copy(lane, name, options));
    } catch (error) {
      if (error instanceof NothingToCopyError) {
        listeners.onEvent({ kind: 'skipped', source, reason: error.message });
        await mark('left_out', error.message);
        return nothing;
      }
      if (isEndOfAll(error, options.signal)) throw error;
      const failure = describeFailure(source, error);
      await mark('failed', failure.message);
      return { ...nothing, failures: [failure] };
    }
  }

  async #copy(lane: Lane, collection: string, options: CopyOptions): Promise<Copied> {
    const { config, listeners, database } = this.#options;
    try {
      return await this.#migrate(lane, collection, options);
    } catch (thrown) {
      const error = explainDatabaseError(thrown, config.postgresUrl);
      if (!isNoFailure(error)) {
        const source = `${database.name}.${collection}`;
        const isAlone = options.jobId !== null && !isEndOfAll(error, options.signal);
        listeners.onEvent({ kind: 'failed', work: 'copy', ...describeFailure(source, error), isAlone });
      }
      throw error;
    }
  }

  async #migrate(
    lane: Lane,
    collection: string,
    { jobId, isLast, signal, indexJobs }: CopyOptions,
  ): Promise<Copied> {
    const { config, planFile, isTrial, listeners, workforce } = this.#options;
    const table = chooseTable(config.postgresSchema, collection, planFile);
    const source = await this.#open(lane, collection);
    const stream = await this.#streamOf(collection);
    if (stream?.runId === null && (await source.sample(1)).documents.length === 0) {
      throw nothingYet(source.name);
    }
    await lane.lock((client) => lockTable(client, table));
    const migration = new Migration({
      ...{ session: lane.session, supervisor: await workforce.supervise(), source, table },
      ...{ config: { ...config, indexJobs }, jobId, planFile, isTrial, listeners, signal },
      ...(stream === null ? {} : { stream }),
      onLoaded: async () => {
        // The memory and the connections of workers serve the indexes better.
        if (isLast && stream === null) await workforce.dismiss();
      },
    });
    return await migration.execute();
  }

  /** What has their names now is not what was copied: it is no concern of the others. */
  async #listEnded(): Promise<ReadonlySet<string>> {
    return (await this.#options.follower?.listEnded()) ?? new Set();
  }

  async #streamOf(collection: string): Promise<RunStream | null> {
    const { follower } = this.#options;
    if (follower === undefined) return null;
    const run = await follower.findRun(collection);
    return { streamId: follower.streamId, runId: run?.runId ?? null };
  }

  /** @throws SourceChangedError where a run of it is not finished, and nothing is left to finish it with */
  async #open(lane: Lane, collection: string): Promise<Source> {
    const { config, database, follower } = this.#options;
    try {
      return await database.open(collection, config.filter, follower?.time);
    } catch (error) {
      if (!(error instanceof NothingToCopyError || error instanceof NoCollectionError)) throw error;
      const name = `${database.name}.${collection}`;
      const run = await lane.session.run(async (client) =>
        (await hasLedger(client)) ? await findUnfinishedRun(client, name, config.postgresSchema) : null,
      );
      if (run === null) throw error;
      throw new SourceChangedError(`${error.message}, and ${describeRun(run)} is not finished`, {
        code: error instanceof NothingToCopyError ? 'SOURCE_EMPTIED' : 'SOURCE_VANISHED',
        fix: 'with its original documents restored, the same command resumes.',
        cause: error,
      });
    }
  }
}

/** Columns are inferred from documents: what is written later begins a run of its own then. */
function nothingYet(source: string): NothingToCopyError {
  return new NothingToCopyError(`the collection ${source} has no documents to be copied yet`, {
    code: 'COLLECTION_EMPTY',
    fix: 'start again once there are some.',
  });
}

function join(results: readonly Result[]): Result {
  return {
    summaries: results.flatMap(({ summaries }) => summaries),
    copiedBefore: results.flatMap(({ copiedBefore }) => copiedBefore),
    failures: results.flatMap(({ failures }) => failures),
  };
}

function toResult(copied: Copied): Result {
  return copied.kind === 'now'
    ? { ...nothing, summaries: [copied.summary] }
    : { ...nothing, copiedBefore: [copied.account] };
}

/** It ends because it is to, or there was nothing to do. */
function isNoFailure(error: unknown): boolean {
  return error instanceof InterruptedError || error instanceof NothingToCopyError;
}
