/** Copies what a job selects: a single collection, or several as one job of the ledger. */

import { NothingToCopyError } from '../../common/errors.ts';
import { chooseCollections, describeSelection, namesSeveral } from '../../config/collection-choice.ts';
import {
  finishJob,
  listBegun,
  markFailed,
  markLeftOut,
  openJob,
  planJob,
} from '../../postgres/ledger/jobs.ts';
import { prepareLedger } from '../../postgres/ledger/ledger.ts';
import { lockJob } from '../../postgres/ledger/run-lock.ts';
import { CollectionCopier, type CopyOptions } from './collection-copier.ts';
import { describeFailure, stopsAll } from '../failure.ts';
import type { JobOptions } from './options.ts';
import { joinResults, nothing, toResult, type JobResult } from './result.ts';
import { withLane, type Lane } from '../lane.ts';
import { countLanes, listSmall, runSideBySide } from './side-by-side.ts';

export class SelectionCopier {
  readonly #options: JobOptions;
  readonly #copier: CollectionCopier;

  constructor(options: JobOptions) {
    this.#options = options;
    this.#copier = new CollectionCopier(options);
  }

  /** @throws MigrationError if a single collection fails; of several, only what ends all of them */
  async copyAll(lane: Lane): Promise<JobResult> {
    const { config, signal, hosts } = this.#options;
    const { mongoCollection, indexJobs } = config;
    // The other hosts find the runs by the job.
    if (namesSeveral(mongoCollection) || hosts !== undefined) return await this.copySeveral(lane);
    if ((await this.#listEnded()).has(mongoCollection)) return nothing;
    const alone = { collections: [], jobId: null, isLast: true, signal, indexJobs };
    return toResult(await this.#copier.copy(lane, mongoCollection, alone));
  }

  /**
   * Copies the large collections one at a time, then the small ones concurrently. If one fails, the others are still copied.
   * @param lane for the job, whose lock it holds
   * @param fresh only these, on a lane of their own, while the others are followed already
   * @returns a result for each, by size
   */
  async copySeveral(
    lane: Lane,
    fresh?: { readonly collections: readonly string[]; readonly lane: Lane },
  ): Promise<JobResult> {
    const { config, listeners, database, size, signal, hosts } = this.#options;
    const { mongoCollection, excludeCollections, postgresSchema, restart: isRestart, indexJobs } = config;
    const infos = await database.listCollections();
    const ended = await this.#listEnded();
    const gone = [...ended].filter((name) => !infos.some((info) => info.name === name));
    const asListed = gone.map((name) => ({ name, type: 'collection', bytes: 0 }));
    const { chosen: all, skipped } = chooseCollections(
      [...infos, ...asListed],
      mongoCollection,
      excludeCollections,
    );
    const chosen = all.filter(({ name }) => !ended.has(name) && (fresh?.collections.includes(name) ?? true));
    for (const { name, reason } of skipped) {
      listeners.onEvent({ kind: 'skipped', source: `${database.name}.${name}`, reason });
    }
    const selection = describeSelection(config);
    const request = { sourceDb: database.name, schema: postgresSchema, selection, isRestart };
    await prepareLedger(lane.session);
    const jobId = await lane.session.transaction((client) => openJob(client, request));
    await lane.lock((client) => lockJob(client, jobId));
    const there = chosen.map(({ name }) => name);
    // A collection that was begun and no longer exists is not skipped: it fails.
    const begun = await lane.session.run((client) => listBegun(client, jobId));
    const missing = fresh === undefined ? begun.filter((name) => !there.includes(name)) : [];
    const names = [...missing, ...there];
    const unbegun = await lane.session.transaction((client) => planJob(client, jobId, names));
    for (const name of unbegun) {
      const reason = 'it no longer exists';
      listeners.onEvent({ kind: 'skipped', source: `${database.name}.${name}`, reason });
    }

    const small = listSmall(chosen);
    const large = names.filter((name) => !small.includes(name));
    const results = new Map<string, JobResult>();
    const copyLane = fresh?.lane ?? lane;
    const copyAlone = { collections: names, jobId, signal, indexJobs };
    for (const name of large) {
      const isLast = small.length === 0 && name === large.at(-1);
      results.set(name, await this.#copyOneOfSeveral(copyLane, name, { ...copyAlone, isLast }));
    }
    await runSideBySide(small, {
      lanes: countLanes(small.length, size),
      lane: copyLane,
      openLane: (use) => withLane(config, { onEvent: listeners.onEvent, signal }, use, 'retry'),
      signal,
      work: async (name, laneOfIts, signalOfAll) => {
        const copyBeside = { collections: names, jobId, signal: signalOfAll, indexJobs: 1, isLast: false };
        results.set(name, await this.#copyOneOfSeveral(laneOfIts, name, copyBeside));
      },
    });
    const result = joinResults(names.map((name) => results.get(name) ?? nothing));
    // A followed job ends with its cutover, and that of several hosts when the leader leaves.
    if (result.failures.length === 0 && !config.follow && hosts === undefined) {
      await lane.session.transaction((client) => finishJob(client, jobId));
    }
    return result;
  }

  /** @throws only errors that stop the others too */
  async #copyOneOfSeveral(
    lane: Lane,
    name: string,
    options: CopyOptions & { jobId: string },
  ): Promise<JobResult> {
    const { database, listeners } = this.#options;
    const { jobId } = options;
    const source = `${database.name}.${name}`;
    try {
      return toResult(await this.#copier.copy(lane, name, options));
    } catch (error) {
      if (error instanceof NothingToCopyError) {
        listeners.onEvent({ kind: 'skipped', source, reason: error.message });
        const reason = error.message;
        await lane.session.run((client) => markLeftOut(client, jobId, name, reason));
        return nothing;
      }
      if (stopsAll(error, options.signal)) throw error;
      const failure = describeFailure(source, error);
      await lane.session.run((client) => markFailed(client, jobId, name, failure));
      return { ...nothing, failures: [failure] };
    }
  }

  /** Collections that were dropped or renamed while followed. Collections of these names are different ones now. */
  async #listEnded(): Promise<ReadonlySet<string>> {
    return (await this.#options.follower?.listEnded()) ?? new Set();
  }
}
