/**
 * A change stream: reads the oplog from a time on, and makes events of what is in its scope.
 *
 * It remembers the time up to which it has read. Its token says the same to a client: the last event's, or, where later
 * operations made no event, that of the time.
 */
import type { Document } from 'bson';
import { findValue, readInt32 } from '../../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../../src/bson/cursor.ts';
import type { Batch } from '../batch.ts';
import type { DocumentRef } from '../storage/collection.ts';
import type { BatchSource } from '../cursors.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import type { ClusterTime } from '../oplog/cluster-time.ts';
import { lastTimeOf } from '../oplog/entry.ts';
import type { OplogEntry } from '../oplog/entry.ts';
import type { Place } from '../storage/place.ts';
import type { Oplog } from '../oplog/oplog.ts';
import { isSameBytes } from '../update/document-tree.ts';
import { FatalStreamError, historyLost } from './errors.ts';
import { EventWriter } from './event.ts';
import type { LookUp } from './event.ts';
import type { Scope, StreamOptions } from './options.ts';
import type { ParsedStage } from './stages.ts';
import { encodeHighWaterMark, tokenNotFound } from './token.ts';

/** As mongod: 16 MiB, and 16 KiB for what is beside a document of the greatest size. */
const maxEventBytes = 16 * 1024 * 1024 + 16 * 1024;
/** Operations processed in one turn; then other clients are served. */
const maxOperationsPerFill = 20_000;

export class ChangeStream implements BatchSource {
  readonly oplog: Oplog;
  readonly #options: StreamOptions;
  readonly #stages: readonly ParsedStage[];
  readonly #isReshaping: boolean;
  readonly #writer: EventWriter;
  /** All operations up to here were read. */
  #readUntil: ClusterTime;
  #token: string;
  /** The event of a token that the client has given must be there. */
  #isTokenToBeFound: boolean;
  /** The stream ends with the event that reports it. */
  #invalidatedBy: OplogEntry | undefined;
  #isEnded = false;

  constructor(oplog: Oplog, options: StreamOptions, stages: readonly ParsedStage[], lookUp: LookUp) {
    const { token, startAtOperationTime } = options;
    this.oplog = oplog;
    this.#options = options;
    this.#stages = stages;
    this.#isReshaping = stages.some(({ isReshaping }) => isReshaping);
    this.#writer = new EventWriter(options, lookUp);
    this.#isTokenToBeFound = token?.isHighWaterMark === false;
    if (token === undefined) {
      const start = startAtOperationTime ?? oplog.lastTime + 1;
      this.#readUntil = start - 1;
      this.#token = encodeHighWaterMark(start);
    } else {
      this.#readUntil = token.isHighWaterMark ? token.time - 1 : token.time;
      this.#token = token.data;
    }
  }

  /** The token after which another stream resumes at this position. */
  get resumeToken(): Document {
    return { _data: this.#token };
  }

  /** Whether there are operations that it has not processed yet. */
  get isBehind(): boolean {
    return this.#isEnded || this.#invalidatedBy !== undefined || this.#readUntil < this.oplog.lastTime;
  }

  fill(batch: Batch, maxDocuments: number): boolean {
    const { oplog } = this;
    if (this.#readUntil < oplog.lostUntil) {
      throw historyLost();
    }
    if (this.#isTokenToBeFound && !this.#findToken()) {
      return false;
    }
    if (this.#invalidatedBy !== undefined) {
      return this.#invalidate(batch, maxDocuments, this.#invalidatedBy);
    }
    let left = maxOperationsPerFill;
    for (let position = oplog.locateAfter(this.#readUntil); left > 0; position++) {
      const entry = oplog.at(position);
      if (entry === undefined) {
        break;
      }
      if (!isVisible(entry, this.#options)) {
        left--;
        this.#pass(lastTimeOf(entry));
        continue;
      }
      const taken = this.#takeFrom(entry, batch, maxDocuments, left);
      left -= taken;
      if (this.#readUntil < lastTimeOf(entry)) {
        break;
      }
      if (isInvalidating(entry, this.#options.scope)) {
        return this.#invalidate(batch, maxDocuments, entry);
      }
    }
    return false;
  }

  /** Makes events of the entry's operations that were not read; returns how many were. */
  #takeFrom(entry: OplogEntry, batch: Batch, maxDocuments: number, maxOperations: number): number {
    const { bytes } = entry;
    let { time, start } = entry;
    // Documents of an insert that were read before.
    for (; time <= this.#readUntil; time++) {
      start += readInt32(bytes, start);
    }
    const end = Math.min(lastTimeOf(entry), time + maxOperations - 1);
    const first = time;
    for (; time <= end; time++) {
      if (batch.count >= maxDocuments) {
        break;
      }
      const event = this.#writer.write(entry, time, { bytes, start });
      const { token } = this.#writer;
      const passed = this.#run(event);
      if (passed === undefined) {
        this.#writer.discard(event);
        this.#pass(time);
      } else if (batch.add(passed.bytes, passed.start, readInt32(passed.bytes, passed.start))) {
        this.#readUntil = time;
        this.#token = token;
      } else {
        this.#writer.discard(event);
        break;
      }
      start += entry.kind === 'insert' ? readInt32(bytes, start) : 0;
    }
    return time - first;
  }

  /** Read, without an event. */
  #pass(time: ClusterTime): void {
    this.#readUntil = time;
    this.#token = encodeHighWaterMark(time);
  }

  #run(event: DocumentRef): DocumentRef | undefined {
    let current: DocumentRef | undefined = event;
    for (const { run } of this.#stages) {
      current = run(current);
      if (current === undefined) {
        return undefined;
      }
    }
    if (this.#isReshaping) {
      requireToken(event, current);
    }
    const length = readInt32(current.bytes, current.start);
    if (length > maxEventBytes) {
      throw new CommandError(
        ErrorCode.bsonObjectTooLarge,
        `Executor error during getMore :: caused by :: BSONObj size: ${length} (0x${length.toString(16).toUpperCase()}) is invalid. ` +
          `Size must be between 0 and ${maxEventBytes}(16MB)`,
      );
    }
    return current;
  }

  /** The last event; true once it is in the batch, since then there is no more. */
  #invalidate(batch: Batch, maxDocuments: number, entry: OplogEntry): boolean {
    this.#invalidatedBy = entry;
    if (batch.count >= maxDocuments) {
      return false;
    }
    const event = this.#writer.writeInvalidate(entry, entry.time);
    const { token } = this.#writer;
    const passed = this.#run(event);
    if (passed === undefined) {
      this.#isEnded = true;
      this.#token = token;
      return true;
    }
    if (!batch.add(passed.bytes, passed.start, readInt32(passed.bytes, passed.start))) {
      return false;
    }
    this.#isEnded = true;
    this.#token = token;
    return true;
  }

  /** False while the oplog has not come to the token's time; throws when it has, and the event is not there. */
  #findToken(): boolean {
    const { token } = this.#options;
    const { oplog } = this;
    if (token === undefined || token.time > oplog.lastTime) {
      return false;
    }
    if (token.time <= oplog.lostUntil) {
      throw historyLost();
    }
    const entry = oplog.at(oplog.locateAfter(token.time - 1));
    const isFound =
      entry !== undefined &&
      entry.time <= token.time &&
      isVisible(entry, this.#options) &&
      (entry.place.uuid?.toString('hex') ?? '') === token.uuid;
    if (!isFound) {
      throw tokenNotFound(token.data);
    }
    this.#isTokenToBeFound = false;
    if (!token.isFromInvalidate && isInvalidating(entry, this.#options.scope)) {
      this.#invalidatedBy = entry;
    }
    return true;
  }
}

const classicKinds: ReadonlySet<string> = new Set([
  ...['insert', 'update', 'replace', 'delete', 'drop', 'rename', 'dropDatabase'],
]);

/** Whether the stream reports it, before any other stage. */
function isVisible(entry: OplogEntry, { scope, showExpandedEvents }: StreamOptions): boolean {
  const { kind, place, to } = entry;
  if (kind === 'noop' || (!showExpandedEvents && !classicKinds.has(kind))) {
    return false;
  }
  return isInScope(place, scope) || (to !== undefined && isInScope(to, scope));
}

function isInScope(place: Place, { database, collection }: Scope): boolean {
  if (collection !== undefined) {
    return place.collection === collection && place.database === database;
  }
  return (database === undefined || place.database === database) && !place.collection.startsWith('system.');
}

function isInvalidating({ kind }: OplogEntry, { database, collection }: Scope): boolean {
  if (collection !== undefined) {
    return kind === 'drop' || kind === 'rename';
  }
  return database !== undefined && kind === 'dropDatabase';
}

const idName = guessName('_id');

/** A client could not resume after an event without its token. */
function requireToken(event: DocumentRef, passed: DocumentRef): void {
  const expected = findValue(event.bytes, event.start, idName);
  const found = findValue(passed.bytes, passed.start, idName);
  if (expected === undefined || found === undefined || !isSameBytes(expected, found)) {
    throw new FatalStreamError(
      ErrorCode.changeStreamFatalError,
      'Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. Modifying the ' +
        '_id field of an event makes it impossible to resume the stream from that point. Only transformations that retain ' +
        'the unmodified _id field are allowed.',
    );
  }
}
