/**
 * Reads the change stream, and records the ids of changed documents together with the position after them: from before the first
 * page of the copy until the cutover, or until the process ends.
 *
 * After any failure, reading resumes at the last recorded position; events after it are sent again.
 */

import type pg from 'pg';
import { Announcements } from '../../common/announcements.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import { appendChanges, countChanges } from '../../postgres/follow/journal.ts';
import { addLateChanges } from '../../postgres/ledger/streams/cutover.ts';
import {
  addStreamCollections,
  endStreamCollections,
  listStreamCollections,
  type StreamCollection,
} from '../../postgres/ledger/streams/stream-collections.ts';
import { advanceStream, type StreamRow } from '../../postgres/ledger/streams/stream.ts';
import type { Session } from '../../postgres/connection/session.ts';
import type { ChangeReply, Changes, ChangeStream, DocumentChange } from '../../source/changes.ts';
import { earlier, type ClusterTime } from '../../source/cluster-time.ts';
import type { FollowLimits } from './limits.ts';

export interface ChangeReaderOptions {
  /** A session of its own, with synchronous commits. */
  readonly session: Session;
  readonly stream: ChangeStream;
  readonly changes: Changes;
  readonly row: StreamRow;
  readonly limits: Pick<FollowLimits, 'maxJournal'>;
}

/** How often the server is asked for the start of its oplog. */
const askOldestEveryMs = 30_000;

export class ChangeReader {
  readonly #pauses = new Announcements();
  /** Called after every recorded reply, and when reading has ended. */
  listener: () => void = () => undefined;
  readonly #options: ChangeReaderOptions;
  readonly #numbers = new Map<string, number>();
  /** Collections that were dropped or replaced: changes of the same name belong to another collection. */
  #ended: ReadonlySet<string> = new Set();
  readonly #events: Record<string, number>;
  #collections: readonly StreamCollection[] = [];
  #isStopping = false;
  #position: ClusterTime;
  #serverTime: ClusterTime;
  #oldestTime: ClusterTime | null = null;
  #askedOldestMs = -Infinity;
  #endTime: ClusterTime | null = null;
  #isCutOver = false;
  #changesRead = 0;
  readonly #changesOf = new Map<string, number>();
  #failure: unknown;
  #hasFailed = false;
  /** Changes in the journal: the last count, plus those read since. */
  #waiting = 0;

  constructor(options: ChangeReaderOptions) {
    this.#options = options;
    this.#events = { ...options.row.events };
    this.#position = options.row.position.time;
    this.#serverTime = this.#position;
  }

  /** Updates the length of the journal with a new count. */
  set waiting(changes: number) {
    this.#waiting = changes;
    this.#pauses.announce();
  }

  /** Whether reading is paused because the journal is full. */
  get isPaused(): boolean {
    return this.#waiting > this.#options.limits.maxJournal;
  }

  /** All changes up to this time are recorded, and the server has reached it: a position may be ahead of its clock by one. */
  get position(): ClusterTime {
    return earlier(this.#position, this.#serverTime);
  }

  get serverTime(): ClusterTime {
    return this.#serverTime;
  }

  get oldestTime(): ClusterTime | null {
    return this.#oldestTime;
  }

  get changesRead(): number {
    return this.#changesRead;
  }

  changesOf(collection: string): number {
    return this.#changesOf.get(collection) ?? 0;
  }

  get events(): Readonly<Record<string, number>> {
    return this.#events;
  }

  /** Whether a cutover is in progress. */
  get isEnding(): boolean {
    return this.#endTime !== null;
  }

  get isCutOver(): boolean {
    return this.#isCutOver;
  }

  /** All collections that have changes, or are copied. */
  get collections(): readonly StreamCollection[] {
    return this.#collections;
  }

  /** @throws the error with which reading has ended, if any */
  check(): void {
    if (this.#hasFailed) throw this.#failure;
  }

  /** To be called after a run was assigned. */
  async refresh(): Promise<void> {
    const { session, row } = this.#options;
    this.#use(await session.run((client) => listStreamCollections(client, row.streamId)));
  }

  #use(collections: readonly StreamCollection[]): void {
    this.#collections = collections;
    this.#ended = new Set(
      this.#collections.filter(({ endedBy }) => endedBy !== null).map(({ collection }) => collection),
    );
    this.#numbers.clear();
    for (const { collection, collectionNo } of this.#collections) this.#numbers.set(collection, collectionNo);
  }

  /** Resolves when reading ends, also after an error, which `check` throws. */
  async run(): Promise<void> {
    try {
      await this.refresh();
      const { session, row } = this.#options;
      this.#waiting = await session.run((client) => countChanges(client, row.streamId));
      while (!this.#isStopping && !this.#isCutOver) {
        await this.#pauses.until(() => !this.isPaused || this.#isStopping);
        // Checked again: it may have been stopped meanwhile.
        if (this.#mustStop()) return;
        await this.#keep(await this.#options.stream.next());
      }
    } catch (error) {
      this.#failure = error;
      this.#hasFailed = true;
    } finally {
      this.listener();
    }
  }

  stop(): void {
    this.#isStopping = true;
    this.#pauses.announce();
  }

  #mustStop(): boolean {
    return this.#isStopping;
  }

  async #keep(reply: ChangeReply): Promise<void> {
    const { session, row } = this.#options;
    await this.#askOldest();
    const events = { ...this.#events };
    for (const { kind } of reply.documents) events[kind] = (events[kind] ?? 0) + 1;
    for (const { kind } of reply.collections) events[kind] = (events[kind] ?? 0) + 1;
    await reachFailpoint('primary-before-journal', reply.documents[0]?.id);
    const { position, serverTime } = reply;
    const advance = { position, serverTime, oldestTime: this.#oldestTime, events };
    let documents: readonly DocumentChange[] = [];
    const hasNew = await session.transaction(async (client) => {
      // First, since it locks the stream, so that only its owner writes after it.
      const state = await advanceStream(client, row, advance);
      // Changes of collections that a cutover leaves out are not recorded.
      if (state.endTime !== this.#endTime) this.#use(await listStreamCollections(client, row.streamId));
      this.#endTime = state.endTime;
      this.#isCutOver = state.isCutOver;
      documents = reply.documents.filter(({ collection }) => !this.#ended.has(collection));
      const unknown = documents
        .map(({ collection }) => collection)
        .filter((name) => !this.#numbers.has(name));
      // New collection numbers are kept only after COMMIT, since a rollback discards them.
      const numbers =
        unknown.length === 0 ? this.#numbers : await this.#addCollections(client, row.streamId, unknown);
      await appendChanges(client, row.streamId, documents, (name) => numberOf(numbers, name));
      await endStreamCollections(client, row.streamId, reply.collections);
      await addLateChanges(client, row.streamId, this.#late(documents));
      return unknown.length > 0 || reply.collections.length > 0;
    });
    Object.assign(this.#events, events);
    this.#position = position.time;
    this.#serverTime = serverTime;
    this.#changesRead += reply.documents.length;
    this.#waiting += documents.length;
    for (const { collection } of reply.documents) {
      this.#changesOf.set(collection, this.changesOf(collection) + 1);
    }
    if (hasNew) await this.refresh();
    this.listener();
  }

  async #addCollections(
    client: pg.Client,
    streamId: string,
    names: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    await addStreamCollections(client, streamId, names);
    const all = await listStreamCollections(client, streamId);
    return new Map(all.map(({ collection, collectionNo }) => [collection, collectionNo]));
  }

  /** Changes after the end time of a cutover. */
  #late(documents: readonly DocumentChange[]): ReadonlyMap<string, number> {
    const late = new Map<string, number>();
    const end = this.#endTime;
    if (end === null) return late;
    for (const { collection, time } of documents) {
      if (time > end) late.set(collection, (late.get(collection) ?? 0) + 1);
    }
    return late;
  }

  async #askOldest(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#askedOldestMs < askOldestEveryMs) return;
    this.#askedOldestMs = nowMs;
    const oldest = await this.#options.changes.readOldestTime();
    this.#oldestTime = typeof oldest === 'bigint' ? oldest : null;
  }
}

function numberOf(numbers: ReadonlyMap<string, number>, collection: string): number {
  const number = numbers.get(collection);
  if (number === undefined) throw new Error(`the stream has no collection ${collection}`);
  return number;
}
