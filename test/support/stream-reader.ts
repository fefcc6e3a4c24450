/** A change stream by raw commands, so that a test sees each reply of the server. */
import type { Db, Document, Long, Timestamp } from 'mongodb';

export interface Token {
  readonly _data: string;
}

/** The fields of an event that tests check. */
export interface StreamEvent {
  readonly _id: Token;
  readonly operationType: string;
  readonly clusterTime: Timestamp;
  readonly wallTime: Date;
  readonly documentKey?: { readonly _id: unknown };
  readonly updateDescription?: { readonly disambiguatedPaths?: unknown };
  readonly fullDocument?: unknown;
  readonly fullDocumentBeforeChange?: unknown;
  readonly operationDescription?: unknown;
  readonly nsType?: string;
  readonly collectionUUID?: unknown;
}

export interface StreamReply {
  readonly events: readonly StreamEvent[];
  readonly token: Token;
  readonly cursorId: Long;
  readonly operationTime: Timestamp;
}

export interface OpenOptions {
  /** The collection; without it, all of the database. */
  readonly collection?: string;
  /** The options of `$changeStream`. */
  readonly spec?: Document;
  readonly stages?: readonly Document[];
  readonly batchSize?: number;
}

export class StreamReader {
  readonly #db: Db;
  readonly #collection: string;
  #cursorId: Long;
  /** The reply to the aggregate. */
  readonly first: StreamReply;

  private constructor(db: Db, collection: string, first: StreamReply) {
    this.#db = db;
    this.#collection = collection;
    this.#cursorId = first.cursorId;
    this.first = first;
  }

  static async open(db: Db, options: OpenOptions = {}): Promise<StreamReader> {
    const { collection, spec = {}, stages = [], batchSize = 0 } = options;
    const pipeline = [{ $changeStream: spec }, ...stages];
    const command = { aggregate: collection ?? 1, pipeline, cursor: { batchSize } };
    const reply = await db.command(command, { promoteLongs: false });
    return new StreamReader(db, collection ?? '$cmd.aggregate', readReply(reply, 'firstBatch'));
  }

  get cursorId(): Long {
    return this.#cursorId;
  }

  async next({
    maxTimeMS = 0,
    batchSize,
  }: { maxTimeMS?: number; batchSize?: number } = {}): Promise<StreamReply> {
    const command = {
      getMore: this.#cursorId,
      collection: this.#collection,
      maxTimeMS,
      ...(batchSize === undefined ? {} : { batchSize }),
    };
    const reply = readReply(await this.#db.command(command, { promoteLongs: false }), 'nextBatch');
    this.#cursorId = reply.cursorId;
    return reply;
  }

  /** Reads the given number of events, in as many replies as needed. */
  async take(count: number): Promise<StreamEvent[]> {
    const events: StreamEvent[] = [];
    while (events.length < count) {
      const reply = await this.next({ maxTimeMS: 10_000 });
      if (reply.events.length === 0) throw new Error(`only ${events.length} of ${count} events came`);
      events.push(...reply.events);
    }
    return events;
  }

  async close(): Promise<void> {
    await this.#db.command({ killCursors: this.#collection, cursors: [this.#cursorId] });
  }
}

function readReply(reply: Document, batchName: 'firstBatch' | 'nextBatch'): StreamReply {
  const { cursor, operationTime } = reply as { cursor: Document; operationTime: Timestamp };
  return {
    events: cursor[batchName] as StreamEvent[],
    token: cursor.postBatchResumeToken as Token,
    cursorId: cursor.id as Long,
    operationTime,
  };
}

/** The seconds and the increment in a token. */
export function timeOfToken({ _data }: Token): { t: number; i: number } {
  return { t: Number.parseInt(_data.slice(2, 10), 16), i: Number.parseInt(_data.slice(10, 18), 16) };
}

export function keysOf(events: readonly StreamEvent[]): unknown[] {
  return events.map(({ documentKey }) => documentKey?._id);
}

export function kindsOf(events: readonly StreamEvent[]): string[] {
  return events.map(({ operationType }) => operationType);
}
