/**
 * A change stream on a database, by raw commands. It reports which documents were written, without the documents.
 *
 * opened ──next──→ reply … ──breaks──→ reopened after the last position
 * Invariants
 * - positions only grow, and grow also without events, so that quiet collections do not lose their history;
 * - after any failure, reading resumes at the last position: events may be repeated, and none is skipped;
 * - once there is a position, the stream never starts at "now".
 */

import { Long, MongoServerError, type BSON, type ClientSession, type Db } from 'mongodb';
import { asObject } from '../../../bson/build.ts';
import { isChosen, patternsOf } from '../../../config/collection-choice.ts';
import { invoke } from '../../../config/invocation.ts';
import { HistoryLostError, SourceError } from '../../../common/errors.ts';
import { reachFailpoint } from '../../../common/failpoints/failpoints.ts';
import type { ChangeReply, ChangeStream, CollectionChange, StreamPosition } from '../../changes.ts';
import { dateOf, earlier, secondsOf, type ClusterTime } from '../../cluster-time.ts';
import { AnswerWatch } from '../answer-watch.ts';
import { readChanges, unusableStream, type RawChanges } from './change-reply.ts';
import { retryRead, type ReadRetry } from '../retry-read.ts';
import { explainMongoError, unauthorized } from '../mongo-errors.ts';
import { rawField } from '../raw-field.ts';
import { fromTimestamp, toTimestamp } from '../read-guarantee.ts';

/** How long the server waits for an event. Long enough to cost nothing, short enough to stop soon. */
const awaitMs = 1_000;

/** An idle replica set writes a no-op every 10 s. If the position is older than this, the stream has stopped working. */
const silentAfterSeconds = 30;

export interface MongoChangeStreamOptions extends ReadRetry {
  readonly url: string;
  readonly wanted: string;
  readonly excluded: string;
}

const fatalStream = 280;
const invalidToken = 260;
/** ChangeStreamHistoryLost, InvalidResumeToken, and the code of MongoDB before 4.2. */
const lostHistory = new Set([286, invalidToken, 40576]);

export class MongoChangeStream implements ChangeStream {
  readonly #db: Db;
  readonly #options: MongoChangeStreamOptions;
  readonly #watch: AnswerWatch;
  #session: ClientSession | null = null;
  /** Null: not open. Zero: the server has closed it. */
  #cursorId: Long | null = null;
  #position: StreamPosition | null;
  /** The first batch of the opened stream, if it has changes. */
  #first: RawChanges | null = null;
  #serverTime: ClusterTime = 0n;
  /** The server does not find the position, so the stream resumes at the time of the position. */
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

  /** Fails if the server has no change streams, or the user has no right to them. */
  async open(): Promise<void> {
    await this.#retry(() => this.#orByTime(() => this.#open()));
  }

  async next(): Promise<ChangeReply> {
    const { documents, collections, position } = await this.#retry(async () => {
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
      // The server closes unused cursors by itself.
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
      // The database was dropped. Changes in a new one of the same name come from a new stream.
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

  /** A server may forget a cursor silently. A new cursor returns the missed changes. */
  async #leaveSilent(time: ClusterTime): Promise<void> {
    if (this.#position !== null && time > this.#position.time) return;
    this.#options.onRetry?.(`the change stream was silent for ${silentAfterSeconds} s`);
    await this.close();
  }

  /** The position may be of another pipeline, which the first reply shows. Then reads that second again, which is harmless. */
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
      // The token of a closed stream needs `startAfter`, which not all servers know.
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
    // Not later than the time of the reply: the position may be ahead of this server.
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
    if (reply.operationTime === undefined) throw unusableStream('its replies have no time');
    this.#serverTime = fromTimestamp(reply.operationTime as Parameters<typeof fromTimestamp>[0]);
    return readChanges(reply.cursor as Uint8Array);
  }

  /** After a transient error, the stream is reopened at the last position. */
  async #retry<T>(read: () => Promise<T>): Promise<T> {
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

/** The error code of a standalone server. */
const noReplicaSet = 40573;
/** UnrecognizedCommand, CommandNotSupported, NotImplemented, and codes for an unknown pipeline stage. */
const unknownStream = [59, 115, 238, 40324, 16436];

function explainStreamError(error: unknown, url: string, position: StreamPosition | null): Error {
  if (!(error instanceof MongoServerError)) return explainMongoError(error, url);
  const { message } = error;
  if (lostHistory.has(Number(error.code))) {
    const since = position === null ? 'its beginning' : dateOf(position.time).toISOString();
    return new HistoryLostError(`MongoDB no longer has the changes since ${since}: ${message}`, {
      code: 'HISTORY_LOST',
      fix: `${invoke('repair')} restarts following, and copies only what differs; a larger oplog keeps changes longer.`,
      cause: error,
    });
  }
  if (hasCode(error, noReplicaSet, ...unknownStream)) {
    return new SourceError(`this server has no change streams: ${message}`, {
      code: 'CHANGE_STREAMS_MISSING',
      fix: 'make a standalone mongod a replica set of one (--replSet, then rs.initiate()); or copy without --follow while nothing is written.',
      cause: error,
    });
  }
  if (hasCode(error, unauthorized)) {
    return new SourceError(`the user may not read the change stream of the database: ${message}`, {
      code: 'CHANGE_STREAM_RIGHTS',
      fix: 'grant the user the role `read` on the database: it includes find and changeStream on all of its collections.',
      cause: error,
    });
  }
  return explainMongoError(error, url);
}
