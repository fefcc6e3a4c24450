/**
 * A change stream on a database, by raw commands: which documents were written, without the documents.
 *
 * opened ──next──→ reply … ──breaks──→ opened again after the last position
 * Invariants
 * - positions only grow, also where there is nothing to tell, so that quiet collections do not lose their history;
 * - after any failure reading goes on at the last position: events may come twice, and none is left out;
 * - never from "now" once there was a position.
 */

import { Long, MongoServerError, type BSON, type ClientSession, type Db } from 'mongodb';
import { asObject } from '../../../bson/build.ts';
import { isChosen, patternsOf } from '../../../config/collection-choice.ts';
import { HistoryLostError, SourceError } from '../../../common/errors.ts';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import type { ChangeReply, ChangeStream, CollectionChange, StreamPosition } from '../../changes.ts';
import { dateOf, earlier, secondsOf, type ClusterTime } from '../../cluster-time.ts';
import { AnswerWatch } from '../answer-watch.ts';
import { readChanges, strangeStream, type RawChanges } from './change-reply.ts';
import { retryRead, type ReadRetry } from '../retry-read.ts';
import { explainMongoError } from '../mongo-errors.ts';
import { rawField } from '../raw-field.ts';
import { fromTimestamp, toTimestamp } from '../read-guarantee.ts';

/** How long the server waits for an event. Long enough to cost nothing, short enough to stop soon. */
const awaitMs = 1_000;

/** An idle set writes a no-op every 10 s; a position that is older than this belongs to a stream that has gone silent. */
const silentAfterSeconds = 30;

export interface MongoChangeStreamOptions extends ReadRetry {
  readonly url: string;
  readonly wanted: string;
  readonly excluded: string;
}

const fatalStream = 280;
const invalidToken = 260;
/** Names differ by version: ChangeStreamHistoryLost, InvalidResumeToken, and before 4.2 the code of an assertion. */
const lostHistory = new Set([286, invalidToken, 40576]);

export class MongoChangeStream implements ChangeStream {
  readonly #db: Db;
  readonly #options: MongoChangeStreamOptions;
  readonly #watch: AnswerWatch;
  #session: ClientSession | null = null;
  /** Null: to be opened. Zero: the server has closed it. */
  #cursorId: Long | null = null;
  #position: StreamPosition | null;
  /** The first batch of a stream that was opened, when it had something to tell. */
  #first: RawChanges | null = null;
  #serverTime: ClusterTime = 0n;
  /** It goes on at the time of the position, which the server does not find. */
  #isByTime = false;

  constructor(db: Db, options: MongoChangeStreamOptions, from: StreamPosition | null) {
    this.#db = db;
    this.#options = options;
    this.#watch = AnswerWatch.of(db.client);
    this.#position = from;
  }

  get position(): StreamPosition {
    if (this.#position === null) throw new Error('the stream has not been opened');
    return this.#position;
  }

  /** Shows whether there are change streams, and the right to them. */
  async open(): Promise<void> {
    await this.#insist(() => this.#orByTime(() => this.#open()));
  }

  async next(): Promise<ChangeReply> {
    const { documents, collections, position } = await this.#insist(async () => {
      await reachFailpoint('primary-reads-changes');
      return await this.#orByTime(() => this.#read());
    });
    this.#position = position;
    this.#isByTime = false;
    const { wanted, excluded } = this.#options;
    const isFollowed = (name: string | null): boolean => name !== null && isChosen(name, wanted, excluded);
    return {
      documents: excluded === '' ? documents : documents.filter(({ collection }) => isFollowed(collection)),
      collections: collections.filter((change) => concerns(change, isFollowed)),
      position,
      serverTime: this.#serverTime,
    };
  }

  async close(): Promise<void> {
    const cursorId = this.#cursorId;
    this.#cursorId = null;
    try {
      if (cursorId !== null && !cursorId.isZero()) {
        await this.#run({ killCursors: '$cmd.aggregate', cursors: [cursorId] });
      }
    } catch {
      // The server ends what nobody asks for by itself.
    } finally {
      await this.#endSession();
    }
  }

  async #read(): Promise<RawChanges> {
    if (this.#cursorId === null) await this.#open();
    const first = this.#first;
    this.#first = null;
    if (first !== null) return first;
    const cursorId = this.#cursorId ?? Long.ZERO;
    if (cursorId.isZero()) {
      // After a dropped database. What is written into a new one of its name comes from another stream.
      this.#cursorId = null;
      await this.#open('startAfter');
      return await this.#read();
    }
    const changes = await this.#run({ getMore: cursorId, collection: '$cmd.aggregate', maxTimeMS: awaitMs });
    this.#cursorId = changes.cursorId;
    if (secondsOf(this.#serverTime) - secondsOf(changes.position.time) > silentAfterSeconds) {
      if (changes.documents.length === 0) await this.#leaveSilent(changes.position.time);
    }
    return changes;
  }

  /** A cursor may be forgotten by its server without a word; a new one tells what it kept back. */
  async #leaveSilent(time: ClusterTime): Promise<void> {
    if (this.#position !== null && time > this.#position.time) return;
    this.#options.onRetry?.(`the change stream has told nothing for ${silentAfterSeconds} s`);
    await this.close();
  }

  /** The position may be one of another pipeline, which shows with the first reply. To read a second again is harmless. */
  async #orByTime<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (this.#position === null || this.#isByTime || !hasCode(error, fatalStream)) throw error;
      this.#isByTime = true;
      this.#forget();
      return await read();
    }
  }

  async #open(resume: 'resumeAfter' | 'startAfter' = 'resumeAfter'): Promise<void> {
    const position = this.#position;
    if (position === null) {
      await this.#openAt({});
    } else if (this.#isByTime) {
      await this.#openAt({ startAtOperationTime: toTimestamp((position.time >> 32n) << 32n) });
    } else {
      await this.#resume(resume, position);
    }
  }

  async #resume(how: 'resumeAfter' | 'startAfter', position: StreamPosition): Promise<void> {
    try {
      await this.#openAt(rawField(how, asObject(position.token)));
    } catch (error) {
      // That of a stream which was closed is such a token; not all servers know `startAfter`.
      if (how === 'startAfter' || !hasCode(error, invalidToken)) throw error;
      await this.#resume('startAfter', position);
    }
  }

  #forget(): void {
    this.#cursorId = null;
    this.#first = null;
  }

  async #openAt(start: BSON.Document): Promise<void> {
    await this.#endSession();
    this.#session = this.#db.client.startSession({ causalConsistency: false });
    const changes = await this.#run({
      aggregate: 1,
      pipeline: [{ $changeStream: start }, ...this.#stages()],
      cursor: { batchSize: 0 },
    });
    this.#cursorId = changes.cursorId;
    if (changes.documents.length + changes.collections.length > 0) this.#first = changes;
    // The time of the answer: the position may be of a moment that has not come to this server.
    const { position } = changes;
    this.#position ??= { ...position, time: earlier(position.time, this.#serverTime) };
  }

  #stages(): BSON.Document[] {
    const patterns = patternsOf(this.#options.wanted);
    const named = patterns.flatMap((pattern) => [{ 'ns.coll': pattern }, { 'to.coll': pattern }]);
    const ends = ['dropDatabase', 'invalidate'].map((operationType) => ({ operationType }));
    return [
      { $match: { $or: [...named, ...ends] } },
      { $project: { operationType: 1, ns: 1, to: 1, documentKey: 1, clusterTime: 1 } },
    ];
  }

  async #run(command: BSON.Document): Promise<RawChanges> {
    const session = this.#session;
    const reply = await this.#watch.guard((options) =>
      this.#db.command(command, {
        ...options,
        raw: true,
        // All commands of a cursor go to the member that has it.
        readPreference: 'primary',
        ...(session === null ? {} : { session }),
      }),
    );
    if (command.killCursors !== undefined) return { ...nothing, position: this.position };
    if (reply.operationTime === undefined) throw strangeStream('its answers have no time');
    this.#serverTime = fromTimestamp(reply.operationTime as Parameters<typeof fromTimestamp>[0]);
    return readChanges(reply.cursor as Uint8Array);
  }

  /** A failure that passes has the stream opened again at the last position. */
  async #insist<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await retryRead(async () => {
        try {
          return await read();
        } catch (error) {
          this.#forget();
          throw error;
        }
      }, this.#options);
    } catch (error) {
      throw explainStreamError(error, this.#options.url, this.#position);
    }
  }

  async #endSession(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.endSession();
  }
}

const nothing = { documents: [], collections: [], cursorId: Long.ZERO };

function concerns(
  { kind, collection, newName }: CollectionChange,
  isFollowed: (name: string | null) => boolean,
): boolean {
  return kind === 'dropDatabase' || isFollowed(collection) || isFollowed(newName);
}

function hasCode(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof MongoServerError && codes.includes(Number(error.code));
}

/** Of a standalone server. */
const noReplicaSet = 40573;
/** UnrecognizedCommand, CommandNotSupported, NotImplemented, and an unknown stage of a pipeline. */
const unknownStream = [59, 115, 238, 40324, 16436];
const unauthorized = 13;

function explainStreamError(error: unknown, url: string, position: StreamPosition | null): Error {
  if (!(error instanceof MongoServerError)) return explainMongoError(error, url);
  const { message } = error;
  if (lostHistory.has(Number(error.code))) {
    const since = position === null ? 'its beginning' : dateOf(position.time).toISOString();
    return new HistoryLostError(`MongoDB does not keep any more what changed since ${since}: ${message}`, {
      code: 'HISTORY_LOST',
      fix: 'npm run repair takes a new start, compares, and copies what differs; a larger oplog keeps more.',
      cause: error,
    });
  }
  if (hasCode(error, noReplicaSet, ...unknownStream)) {
    return new SourceError(`this server has no change streams: ${message}`, {
      code: 'CHANGE_STREAMS_MISSING',
      fix: 'a standalone mongod becomes a replica set of one by --replSet and rs.initiate(); else copy without --follow while nothing is written.',
      cause: error,
    });
  }
  if (hasCode(error, unauthorized)) {
    return new SourceError(`the user must not read the change stream of the database: ${message}`, {
      code: 'CHANGE_STREAM_RIGHTS',
      fix: 'grant the user the role `read` on the database: it has find and changeStream on all of its collections.',
      cause: error,
    });
  }
  return explainMongoError(error, url);
}
