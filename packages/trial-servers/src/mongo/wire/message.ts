/**
 * The wire protocol's messages: parses requests and builds replies.
 *
 * https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
 */
import { BSONType, Long, serialize } from 'bson';
import type { Document } from 'bson';
import type { Batch } from '../batch.ts';
import { readInt32 } from '../../../../../src/bson/raw-value.ts';
import { checkDocument, skipText } from '../checked-bson.ts';
import { crc32c } from './crc32c.ts';
import { CommandError, ErrorCode, MalformedMessageError } from '../errors.ts';
import type { ReplyBuffer } from './reply-buffer.ts';

export const maxMessageBytes = 48_000_000;
export const headerBytes = 16;

const opReply = 1;
const opQuery = 2004;
const opMsg = 2013;

/** Flag bits of OP_MSG; a set bit among the lower 16 that is not known must be refused. */
const Flag = { checksumPresent: 1, moreToCome: 2, exhaustAllowed: 0x1_0000, requiredBits: 0xffff } as const;

/** Documents of one kind 1 section: [start, end) of the message, each checked for its outer length only. */
export interface DocumentSequence {
  readonly start: number;
  readonly end: number;
}

export interface Request {
  readonly requestId: number;
  /** True for the old OP_QUERY, which a driver may use for hello; it is answered by OP_REPLY. */
  readonly isLegacy: boolean;
  /** False when the client wants no reply (moreToCome: an unacknowledged write). */
  readonly isReplyWanted: boolean;
  /** Whether the client accepts further replies without requests: a streaming hello. */
  readonly isExhaustAllowed: boolean;
  readonly bytes: Buffer;
  /** Where the command's document starts in `bytes`; checked to be well-formed. */
  readonly bodyStart: number;
  readonly sequences: ReadonlyMap<string, DocumentSequence>;
  /** The database an OP_QUERY names; an OP_MSG names it in `$db`. */
  readonly legacyDatabase: string | undefined;
}

/** A cursor's reply, written without decoding its documents. */
export interface CursorReply {
  readonly namespace: string;
  readonly cursorId: bigint;
  readonly batchName: 'firstBatch' | 'nextBatch';
  readonly batch: Batch;
  /** Of a change stream: the token after which a stream resumes when this one is not read further. */
  readonly resumeToken?: Document | undefined;
}

export type Reply = { readonly document: Document } | { readonly cursor: CursorReply };

/** The form of the message around a reply. */
export interface ReplyOptions {
  readonly responseTo: number;
  /** In answer to an OP_QUERY. */
  readonly isLegacy: boolean;
  /** Another reply follows without a request. */
  readonly isMoreToCome?: boolean;
  /** Elements that the reply's document ends with: its times. */
  readonly times?: Buffer | undefined;
}

/** The request's own number, for the reply to an error in parsing the request. */
export function readRequestId(bytes: Buffer): number {
  return bytes.readInt32LE(4);
}

/** Parses a whole message; throws MalformedMessageError when it is none, CommandError when its BSON is broken. */
export function parseRequest(bytes: Buffer): Request {
  const opCode = bytes.readInt32LE(12);
  switch (opCode) {
    case opMsg:
      return parseMsg(bytes);
    case opQuery:
      return parseQuery(bytes);
    default:
      throw new MalformedMessageError(`opcode ${opCode} is not supported`);
  }
}

function parseMsg(bytes: Buffer): Request {
  if (bytes.length < headerBytes + 4) {
    throw new MalformedMessageError('an OP_MSG is too short for its flags');
  }
  const flags = bytes.readUInt32LE(headerBytes);
  if ((flags & Flag.requiredBits & ~(Flag.checksumPresent | Flag.moreToCome)) !== 0) {
    throw new MalformedMessageError(`an OP_MSG has unknown flags ${flags}`);
  }
  let end = bytes.length;
  if ((flags & Flag.checksumPresent) !== 0) {
    end -= 4;
    if (end < headerBytes + 4 || bytes.readUInt32LE(end) !== crc32c(bytes.subarray(0, end))) {
      throw new MalformedMessageError('an OP_MSG does not match its checksum');
    }
  }
  let bodyStart: number | undefined;
  const sequences = new Map<string, DocumentSequence>();
  let offset = headerBytes + 4;
  while (offset < end) {
    const kind = bytes[offset++];
    if (kind === 0 && bodyStart === undefined) {
      bodyStart = offset;
      offset = checkDocument(bytes, offset, end);
    } else if (kind === 1) {
      const sectionEnd = offset + (offset + 4 <= end ? readInt32(bytes, offset) : 0);
      if (sectionEnd < offset + 5 || sectionEnd > end) {
        throw new MalformedMessageError('a document sequence has an impossible length');
      }
      const start = skipText(bytes, offset + 4, sectionEnd);
      sequences.set(bytes.toString('utf8', offset + 4, start - 1), { start, end: sectionEnd });
      offset = sectionEnd;
    } else {
      throw new MalformedMessageError(`an OP_MSG has a section of kind ${kind ?? 'nothing'} out of place`);
    }
  }
  if (bodyStart === undefined) {
    throw new MalformedMessageError('an OP_MSG has no body');
  }
  const isReplyWanted = (flags & Flag.moreToCome) === 0;
  const isExhaustAllowed = (flags & Flag.exhaustAllowed) !== 0;
  const requestId = readRequestId(bytes);
  return {
    requestId,
    isLegacy: false,
    isReplyWanted,
    isExhaustAllowed,
    bytes,
    bodyStart,
    sequences,
    legacyDatabase: undefined,
  };
}

function parseQuery(bytes: Buffer): Request {
  const nameStart = headerBytes + 4;
  const nameEnd = skipText(bytes, nameStart, bytes.length);
  const namespace = bytes.toString('utf8', nameStart, nameEnd - 1);
  const bodyStart = nameEnd + 8;
  checkDocument(bytes, bodyStart, bytes.length);
  const legacyDatabase = namespace.split('.', 1)[0];
  if (legacyDatabase === undefined || !namespace.endsWith('.$cmd')) {
    throw new MalformedMessageError('an OP_QUERY is not a command');
  }
  const requestId = readRequestId(bytes);
  return {
    requestId,
    isLegacy: true,
    isReplyWanted: true,
    isExhaustAllowed: false,
    bytes,
    bodyStart,
    sequences: new Map(),
    legacyDatabase,
  };
}

/** The offsets of a sequence's documents, each of which must fit within it. */
export function* splitSequence(
  bytes: Buffer,
  sequence: DocumentSequence,
): Generator<number, void, undefined> {
  let offset = sequence.start;
  while (offset < sequence.end) {
    const length = offset + 5 <= sequence.end ? readInt32(bytes, offset) : 0;
    if (length < 5 || offset + length > sequence.end) {
      throw new CommandError(ErrorCode.invalidBson, 'a document of a sequence has an impossible length');
    }
    yield offset;
    offset += length;
  }
}

const noTimes = Buffer.alloc(0);

/** The whole message that answers a request, in the memory of `room`. */
export function encodeReply(reply: Reply, options: ReplyOptions, room: ReplyBuffer): Buffer {
  const { responseTo, isLegacy, isMoreToCome = false, times = noTimes } = options;
  if (isLegacy) {
    return encodeLegacyReply('document' in reply ? reply.document : {}, responseTo);
  }
  const bodyStart = headerBytes + 5;
  let message: Buffer;
  if ('cursor' in reply) {
    message = encodeCursor(reply.cursor, bodyStart, times, room);
  } else {
    const body = serialize(reply.document, { ignoreUndefined: true });
    message = room.take(bodyStart + body.length + times.length);
    message.set(body, bodyStart);
    times.copy(message, bodyStart + body.length - 1);
    message[message.length - 1] = 0;
    message.writeInt32LE(body.length + times.length, bodyStart);
  }
  writeHeader(message, responseTo, opMsg);
  message.writeUInt32LE(isMoreToCome ? Flag.moreToCome : 0, headerBytes);
  message[headerBytes + 4] = 0;
  return message;
}

function encodeLegacyReply(document: Document, responseTo: number): Buffer {
  const body = serialize(document, { ignoreUndefined: true });
  const message = Buffer.alloc(headerBytes + 20 + body.length);
  writeHeader(message, responseTo, opReply);
  // Flags and cursor id are 0, and so is the number of documents skipped.
  message.writeInt32LE(1, headerBytes + 16);
  message.set(body, headerBytes + 20);
  return message;
}

/** `{cursor: {<batchName>: [...], id: <int64>, ns: <string>}, ok: 1, <times>}`, after `prefixBytes` of room. */
function encodeCursor(reply: CursorReply, prefixBytes: number, times: Buffer, room: ReplyBuffer): Buffer {
  const { batch, batchName, cursorId, namespace, resumeToken } = reply;
  const rest = Buffer.from(
    serialize({
      ...(resumeToken === undefined ? {} : { postBatchResumeToken: resumeToken }),
      id: Long.fromBigInt(cursorId),
      ns: namespace,
    }),
  );
  // The fields of `rest` and its final zero, without its length.
  const restBytes = rest.length - 4;
  const cursorBytes = 4 + 1 + batchName.length + 1 + batch.arrayBytes + restBytes;
  const bodyBytes = 4 + cursorField.length + cursorBytes + okField.length + times.length + 1;
  const message = room.take(prefixBytes + bodyBytes);
  let offset = message.writeInt32LE(bodyBytes, prefixBytes);
  offset += cursorField.copy(message, offset);
  offset = message.writeInt32LE(cursorBytes, offset);
  message[offset++] = BSONType.array;
  offset += message.write(batchName, offset, 'latin1');
  message[offset++] = 0;
  offset = batch.write(message, offset);
  offset += rest.copy(message, offset, 4);
  offset += okField.copy(message, offset);
  offset += times.copy(message, offset);
  message[offset] = 0;
  return message;
}

const cursorField = Buffer.from('\x03cursor\0', 'latin1');
const okField = Buffer.from('\x01ok\0\0\0\0\0\0\0\xf0\x3f', 'latin1');

let lastReplyId = 0;

function writeHeader(message: Buffer, responseTo: number, opCode: number): void {
  lastReplyId = (lastReplyId + 1) | 0;
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(lastReplyId, 4);
  message.writeInt32LE(responseTo, 8);
  message.writeInt32LE(opCode, 12);
}
