/**
 * Reads the change stream, and keeps the ids of what changed together with the position after them: from before the first
 * page of the copy, until the stream is cut over or the process ends.
 *
 * Whatever fails in between, reading goes on at the position that was kept last: what was told after it is told again.
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
  /** Of its own, and with commits that wait for the disk. */
  readonly session: Session;
  readonly stream: ChangeStream;
  readonly changes: Changes;
  readonly row: StreamRow;
  readonly limits: Pick<FollowLimits, 'maxJournal'>;
}

/** How often the server is asked since when it keeps its history. */
const askOldestEveryMs = 30_000;

export class ChangeReader {
  readonly #pauses = new Announcements();
  /** Called after every reply that was kept, and when the reading has ended. */
  listener: () => void = () => undefined;
  readonly #options: ChangeReaderOptions;
  readonly #numbers = new Map<string, number>();
  /** Whose changes are those of something else. */
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
  /** Changes in the journal, as counted last and read since. */
  #waiting = 0;

  constructor(options: ChangeReaderOptions) {
    this.#options = options;
    this.#events = { ...options.row.events };
    this.#position = options.row.position.time;
    this.#serverTime = this.#position;
  }

  /** To be told whenever it was counted. */
  set waiting(changes: number) {
    this.#waiting = changes;
    this.#pauses.announce();
  }

  /** The journal is as long as it may be. */
  get isPaused(): boolean {
    return this.#waiting > this.#options.limits.maxJournal;
  }

  /** All changes up to here are kept, and the server has come to it: a position may be one ahead of its clock. */
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

  /** A cut-over is under way. */
  get isEnding(): boolean {
    return this.#endTime !== null;
  }

  get isCutOver(): boolean {
    return this.#isCutOver;
  }

  /** All that changes have been told of, and those that are copied. */
  get collections(): readonly StreamCollection[] {
    return this.#collections;
  }

  /** @throws why the reading ended, if it did not end because it was to */
  check(): void {
    if (this.#hasFailed) throw this.#failure;
  }

  /** To be called when a run was assigned. */
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

  /** Fulfilled when the reading ends, whichever way: `check` tells. */
  async run(): Promise<void> {
    try {
      await this.refresh();
      const { session, row } = this.#options;
      this.#waiting = await session.run((client) => countChanges(client, row.streamId));
      while (!this.#isStopping && !this.#isCutOver) {
        await this.#pauses.until(() => !this.isPaused || this.#isStopping);
        // Read again afterwards: it may have been told to stop meanwhile.
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
      // First, as it locks the stream: what is written after it is of the process that has it.
      const state = await advanceStream(client, row, advance);
      // What a cut-over leaves out is no concern of it, nor of the journal.
      if (state.endTime !== this.#endTime) this.#use(await listStreamCollections(client, row.streamId));
      this.#endTime = state.endTime;
      this.#isCutOver = state.isCutOver;
      documents = reply.documents.filter(({ collection }) => !this.#ended.has(collection));
      const unknown = documents
        .map(({ collection }) => collection)
        .filter((name) => !this.#numbers.has(name));
      // Numbers that are given here are not remembered before COMMIT: a transaction that breaks gives them up.
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

  /** What was written after the time that was to be the end. */
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
    this.#oldestTime = await this.#options.changes.readOldestTime();
  }
}

function numberOf(numbers: ReadonlyMap<string, number>, collection: string): number {
  const number = numbers.get(collection);
  if (number === undefined) throw new Error(`the stream has no collection ${collection}`);
  return number;
}
