/**
 * Keeps the tables in step with their collections: reads changes from before the copy begins, and merges them once it is done,
 * until the cutover, or until the process is stopped.
 */

import type { Failure } from '../../observe/outcome.ts';
import { findRunById, type Run } from '../../postgres/ledger/runs.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { ChangeReader } from './change-reader.ts';
import { FollowLoop, type CopyNew, type FollowEnd } from './follow-loop.ts';
import { followLimits, type FollowLimits } from './limits.ts';
import { StoppedCollections } from './stopped.ts';
import { openFollowed, type OpenedStream, type OpeningOptions } from './stream-opening.ts';

export interface Following {
  /** Those that could not be copied. */
  readonly uncopied: readonly Failure[];
  readonly copyNew: CopyNew;
}

export class Follower {
  readonly #options: OpeningOptions;
  readonly #opened: OpenedStream;
  readonly #reader: ChangeReader;
  readonly #reading: Promise<void>;
  readonly #failed = new AbortController();
  readonly #stopped: StoppedCollections;
  readonly #limits: FollowLimits;

  private constructor(options: OpeningOptions, opened: OpenedStream) {
    this.#options = options;
    this.#opened = opened;
    const { config, lane, onEvent, database, limits = followLimits } = options;
    this.#reader = new ChangeReader({ ...opened, limits });
    this.#limits = limits;
    this.#stopped = new StoppedCollections({
      ...{ session: lane.session, streamId: this.streamId, database, onEvent },
      postgresUrl: config.postgresUrl.reveal(),
    });
    this.#reading = this.#read();
  }

  /**
   * Opens the stream before anything is written, so that a missing feature or privilege is detected.
   * @throws MigrationError
   */
  static async open(options: OpeningOptions): Promise<Follower> {
    return new Follower(options, await openFollowed(options));
  }

  /** Aborted with the reason when changes cannot be read any more. */
  get failure(): AbortSignal {
    return this.#failed.signal;
  }

  /** Documents must be read from the source at this time or later. */
  get time(): ClusterTime {
    return this.#reader.position;
  }

  get streamId(): string {
    return this.#opened.row.streamId;
  }

  /** For entries in the journal other than changes. */
  async placeOf(collection: string): Promise<FollowedCollection> {
    const known = await this.#find(collection);
    if (known === undefined) throw new Error(`the stream has no collection ${collection}`);
    const { streamId, epoch } = this.#opened.row;
    return { streamId, collectionNo: known.collectionNo, epoch };
  }

  /** The run that has copied a collection for this stream, or is copying it, if any. */
  async findRun(collection: string): Promise<Run | null> {
    const runId = (await this.#find(collection))?.runId ?? null;
    if (runId === null) return null;
    return await this.#options.lane.session.run((client) => findRunById(client, runId));
  }

  /** Collections that were copied and are not followed any more. */
  async listEnded(): Promise<ReadonlySet<string>> {
    await this.#reader.refresh();
    const ended = new Set<string>();
    for (const { collection, runId, endedBy } of this.#reader.collections) {
      if (endedBy === null || runId === null) continue;
      const run = await this.#options.lane.session.run((client) => findRunById(client, runId));
      if (run?.isFinished === true) ended.add(collection);
    }
    return ended;
  }

  /**
   * Merges what changed, for as long as there is something to follow.
   * @throws the reason of the signal, or the error of following
   */
  async follow(supervisor: Supervisor, { uncopied, copyNew }: Following): Promise<FollowEnd> {
    const { config, database, lane, signal, onEvent } = this.#options;
    const { changes, row } = this.#opened;
    // Following runs for long: a document that crashes a process must crash a worker, not the primary.
    supervisor.expect(Infinity);
    await this.#reader.refresh();
    const loop = new FollowLoop({
      ...{ config, database, changes, session: lane.session, row, supervisor, copyNew, signal, onEvent },
      ...{ reader: this.#reader, stopped: this.#stopped, uncopied, limits: this.#limits },
      hostId: this.#options.hosts?.hostId,
    });
    return await loop.run();
  }

  async close(): Promise<void> {
    this.#reader.stop();
    await this.#reading;
    await this.#opened.stream.close();
    await this.#opened.session.close();
  }

  async #find(collection: string): Promise<ChangeReader['collections'][number] | undefined> {
    await this.#reader.refresh();
    return this.#reader.collections.find((each) => each.collection === collection);
  }

  async #read(): Promise<void> {
    await this.#reader.run();
    try {
      this.#reader.check();
    } catch (error) {
      this.#failed.abort(error);
    }
  }
}
