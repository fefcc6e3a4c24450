/**
 * Keeps the tables in step with their collections: reads changes from before the copy begins, and merges them once it is
 * done, until the stream is cut over or the process is to stop.
 */

import { Announcements } from '../../common/announcements.ts';
import { SourceChangedError, UsageError } from '../../common/errors.ts';
import { describeSelection } from '../../config/collection-choice.ts';
import type { Config } from '../../config/config.ts';
import { invoke } from '../../config/invocation.ts';
import type { Failure } from '../../observe/events.ts';
import { requireUniqueKey } from '../../postgres/follow/key-check.ts';
import { prepareSlots } from '../../postgres/follow/journal.ts';
import {
  endStream,
  findStream,
  openStream,
  takeOverStream,
  type StreamRow,
} from '../../postgres/ledger/streams.ts';
import { hasLedger } from '../../postgres/ledger/ledger.ts';
import { lockStream } from '../../postgres/ledger/run-lock.ts';
import { findRunById, type Run } from '../../postgres/ledger/runs.ts';
import { qualifiedName } from '../../postgres/connection/relations.ts';
import { Session } from '../../postgres/connection/session.ts';
import type { FollowedCollection } from '../../postgres/worker-settings.ts';
import type { Changes, ChangeStream } from '../../source/changes.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import type { Database } from '../../source/database.ts';
import type { Supervisor } from '../../workers/supervisor/supervisor.ts';
import { primarySession, type Audience } from '../connections.ts';
import { describeFailure } from '../failure.ts';
import type { Lane } from '../lane.ts';
import { workerTarget } from '../workforce.ts';
import { ChangeReader } from './change-reader.ts';
import { Drains } from './drains.ts';
import { requestOf } from './stream-request.ts';
import { FollowStatus } from './follow-status.ts';
import { Followed } from './followed.ts';

export interface FollowerOptions extends Audience {
  readonly config: Config;
  readonly database: Database;
  readonly lane: Lane;
  /** An earlier stream is given up for one from now on, which is not followed until all that differs is found. */
  readonly isRepair?: boolean;
}

/** Why following ended. */
export type FollowEnd =
  | { readonly kind: 'cut-over' }
  /** Collections that have changes and are not copied. */
  | { readonly kind: 'new'; readonly collections: readonly string[] }
  /** Collections that are followed no more, all of them. */
  | { readonly kind: 'ended'; readonly failures: readonly Failure[] };

/** So many drains for each worker: one is merged while the documents of the other are read. */
const drainsPerWorker = 2;

/** How long the loop waits for news. */
const tickMs = 200;

export class Follower {
  readonly #options: FollowerOptions;
  readonly #changes: Changes;
  readonly #stream: ChangeStream;
  readonly #row: StreamRow;
  readonly #session: Session;
  readonly #reader: ChangeReader;
  readonly #reading: Promise<void>;
  readonly #failed = new AbortController();
  readonly #told = new Set<number>();

  private constructor(
    options: FollowerOptions,
    parts: {
      readonly changes: Changes;
      readonly stream: ChangeStream;
      readonly row: StreamRow;
      readonly session: Session;
    },
  ) {
    this.#options = options;
    this.#changes = parts.changes;
    this.#stream = parts.stream;
    this.#row = parts.row;
    this.#session = parts.session;
    this.#reader = new ChangeReader(parts);
    this.#reading = this.#read();
  }

  /**
   * Opens the stream, which shows whether the server has one and the user the right to it, before anything is written.
   * @throws MigrationError
   */
  static async open(options: FollowerOptions): Promise<Follower> {
    const { config, database, lane, isRepair = false } = options;
    const { changes } = database;
    if (changes === undefined) {
      throw new UsageError('a dump does not change, and cannot be followed', {
        code: 'FOLLOW_NEEDS_SERVER',
        fix: 'leave out --follow, or read from a server with MONGO_URL.',
      });
    }
    refuseClock(config.filter);
    const request = requestOf(config, database);
    let existing = await lane.session.run(async (client) =>
      (await hasLedger(client)) ? await findStream(client, request) : null,
    );
    if (existing !== null) {
      const { streamId } = existing;
      await lane.lock((client) => lockStream(client, streamId));
      if (config.restart || isRepair) {
        await lane.session.transaction((client) => endStream(client, streamId));
        existing = null;
      } else if (existing.isRepair) {
        throw new UsageError('a repair has begun, and is not finished', {
          code: 'REPAIR_UNFINISHED',
          fix: `finish it: ${invoke('repair')}`,
        });
      }
    }
    const selection = { wanted: config.mongoCollection, excluded: config.excludeCollections };
    const stream = await changes.openStream(selection, existing?.position ?? null);
    let session: Session | undefined;
    try {
      const row =
        existing ??
        (await lane.session.transaction((client) => openStream(client, request, stream.position, isRepair)));
      if (existing === null) await lane.lock((client) => lockStream(client, row.streamId));
      const epoch = await lane.session.transaction((client) => takeOverStream(client, row.streamId));
      session = await Session.open({
        ...primarySession(config, options),
        applicationName: 'mongo2pg changes',
      });
      const parts = { changes, stream, row: { ...row, epoch }, session };
      return new Follower(options, parts);
    } catch (error) {
      await session?.close();
      await stream.close();
      throw error;
    }
  }

  /** Aborted with the reason when changes cannot be read any more. */
  get failure(): AbortSignal {
    return this.#failed.signal;
  }

  /** What is read of the source from now on must be as of this time or later. */
  get time(): ClusterTime {
    return this.#reader.position;
  }

  get streamId(): string {
    return this.#row.streamId;
  }

  /** For what is written into the journal beside the changes. */
  async placeOf(collection: string): Promise<FollowedCollection> {
    await this.#reader.refresh();
    const known = this.#reader.collections.find((each) => each.collection === collection);
    if (known === undefined) throw new Error(`the stream has no collection ${collection}`);
    return { streamId: this.#row.streamId, collectionNo: known.collectionNo, epoch: this.#row.epoch };
  }

  /** The run that has copied a collection for this stream, or is at it; null where none is. */
  async findRun(collection: string): Promise<Run | null> {
    await this.#reader.refresh();
    const known = this.#reader.collections.find((each) => each.collection === collection);
    const { runId } = known ?? { runId: null };
    return runId == null
      ? null
      : await this.#options.lane.session.run((client) => findRunById(client, runId));
  }

  /** How many changes of it this process has read. */
  changesOf(collection: string): number {
    return this.#reader.changesOf(collection);
  }

  /** Those that were copied and are followed no more. */
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
   * @param leftOut collections that are not followed, with the number of changes up to which they are not
   * @throws the reason of the signal, or what following failed with
   */
  async follow(supervisor: Supervisor, leftOut: ReadonlyMap<string, number>): Promise<FollowEnd> {
    const { config, lane, signal, onEvent } = this.#options;
    const news = new Announcements();
    const drains = new Drains({
      session: lane.session,
      changes: this.#changes,
      streamId: this.#row.streamId,
      filter: config.filter,
      parallel: supervisor.size * drainsPerWorker,
      news,
    });
    await this.#reader.refresh();
    const status = new FollowStatus({
      ...{ reader: this.#reader, drains, session: lane.session, supervisor, onEvent },
      source: `${this.#options.database.name}.${describeSelection(config)}`,
      url: config.postgresUrl.reveal(),
    });
    const onRead = (): void => {
      drains.notice();
      news.announce();
    };
    this.#reader.listener = onRead;
    try {
      for (const known of this.#reader.collections) await this.#begin(drains, supervisor, known, leftOut);
      for (;;) {
        signal.throwIfAborted();
        this.#reader.check();
        if (this.#reader.isCutOver) return { kind: 'cut-over' };
        const fresh = this.#reader.collections
          .filter(
            ({ collection, runId }) =>
              runId === null && this.changesOf(collection) > (leftOut.get(collection) ?? -1),
          )
          .map(({ collection }) => collection);
        if (fresh.length > 0) return { kind: 'new', collections: fresh };
        const failures = this.#endCollections(drains);
        if (failures !== null) return { kind: 'ended', failures };
        drains.isUrgent = this.#reader.isEnding;
        await drains.pump();
        this.#reader.waiting = drains.waiting.changes;
        await status.tell();
        await news.next(tickMs);
      }
    } finally {
      this.#reader.listener = () => undefined;
      await drains.settle();
      for (const { handle } of drains.followed) handle.end();
    }
  }

  async close(): Promise<void> {
    this.#reader.stop();
    await this.#reading;
    await this.#stream.close();
    await this.#session.close();
  }

  async #read(): Promise<void> {
    await this.#reader.run();
    try {
      this.#reader.check();
    } catch (error) {
      this.#failed.abort(error);
    }
  }

  async #begin(
    drains: Drains,
    supervisor: Supervisor,
    { collectionNo, collection, runId, endedBy }: ChangeReader['collections'][number],
    leftOut: ReadonlyMap<string, number>,
  ): Promise<void> {
    if (runId === null || leftOut.has(collection)) return;
    const { config, lane, database } = this.#options;
    const run = await lane.session.run((client) => findRunById(client, runId));
    if (run?.isFinished !== true) return;
    const { plan } = run.settings;
    await lane.session.run((client) => requireUniqueKey(client, plan));
    const place = { streamId: this.#row.streamId, collectionNo, epoch: this.#row.epoch };
    await lane.session.transaction((client) => prepareSlots(client, place));
    const followed = new Followed({
      ...{ source: `${database.name}.${collection}`, collection, runId, place },
      identity: run.settings.collectionId,
      table: qualifiedName(plan),
    });
    followed.endedBy = endedBy;
    const settings = { ...workerTarget(config), purpose: 'merge', runId, plan, stream: place } as const;
    followed.handle = supervisor.begin(settings, followed);
    drains.add(followed);
  }

  /** @returns null as long as there is one to follow */
  #endCollections(drains: Drains): Failure[] | null {
    const { onEvent } = this.#options;
    const failures: Failure[] = [];
    for (const followed of drains.followed) {
      const { collectionNo } = followed.place;
      const known = this.#reader.collections.find((each) => each.collectionNo === collectionNo);
      followed.endedBy = known?.endedBy ?? null;
      if (followed.endedBy === null) continue;
      const error = new SourceChangedError(`${followed.source} is followed no more: ${followed.endedBy}`, {
        code: 'FOLLOWED_ENDED',
        fix: `the table ${followed.table} stays as it is; to copy what has the name now, say --restart.`,
      });
      const failure = describeFailure(followed.source, error);
      failures.push(failure);
      if (this.#told.has(collectionNo)) continue;
      this.#told.add(collectionNo);
      onEvent({ kind: 'failed', work: 'copy', ...failure, isAlone: true });
    }
    return drains.followed.length > 0 && failures.length === drains.followed.length ? failures : null;
  }
}

/** A document that leaves such a filter as time goes by makes no event. @throws UsageError */
function refuseClock(filter: Uint8Array | undefined): void {
  if (filter === undefined || !Buffer.from(filter).toString('latin1').includes('$$NOW')) return;
  throw new UsageError('FILTER asks for the time ($$NOW), and documents that leave it so make no change', {
    code: 'FILTER_NOT_FOLLOWABLE',
    fix: 'write a fixed date into the filter.',
  });
}
