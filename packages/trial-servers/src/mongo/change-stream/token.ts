/**
 * Resume tokens, `{_data: <hex>}`, in the layout that mongod's have: a KeyString of the cluster time, the version, the
 * kind of token, and, of an event, the collection and what was done. As strings they sort in the order of the events.
 *
 * https://github.com/mongodb/mongo/blob/master/src/mongo/db/pipeline/resume_token.h
 */
import { readFields, readString } from '../../../../../src/bson/raw-value.ts';
import type { RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { incrementOf, secondsOf, toClusterTime } from '../oplog/cluster-time.ts';
import type { ClusterTime } from '../oplog/cluster-time.ts';
import { FatalStreamError } from './errors.ts';

export interface Token {
  readonly time: ClusterTime;
  /** A time reached without an event: it comes before all events of this time. */
  readonly isHighWaterMark: boolean;
  readonly isFromInvalidate: boolean;
  /** Of an event: the collection's UUID, in hexadecimal; empty where it has none. */
  readonly uuid: string;
}

const timestamp = '82';
const version2 = '2B04';
const ofEvent = '2C0100';
const ofHighWaterMark = '29';
const firstOfTransaction = '29';
const notFromInvalidate = '6E';
const fromInvalidate = '6F';
const uuidStart = '5A1004';
const noUuid = '14';
const end = '04';

export function encodeHighWaterMark(time: ClusterTime): string {
  return (
    timestamp +
    encodeTime(time) +
    version2 +
    ofHighWaterMark +
    firstOfTransaction +
    notFromInvalidate +
    noUuid +
    end
  );
}

/** What stands before and after the time in the tokens of a collection's events of one kind. */
export function encodeEventTail(operation: string, uuid: Buffer | undefined): string {
  const id = uuid === undefined ? noUuid : uuidStart + uuid.toString('hex').toUpperCase();
  const invalidate = operation === 'invalidate' ? fromInvalidate : notFromInvalidate;
  return version2 + ofEvent + firstOfTransaction + invalidate + id + encodeOperation(operation) + end;
}

export function encodeEventToken(time: ClusterTime, tail: string): string {
  return timestamp + encodeTime(time) + tail;
}

/** `{operationType: <operation>}` as a KeyString has it. */
function encodeOperation(operation: string): string {
  return `463C${hex('operationType\0')}3C${hex(`${operation}\0`)}00`;
}

function hex(text: string): string {
  return Buffer.from(text).toString('hex').toUpperCase();
}

function encodeTime(time: ClusterTime): string {
  return encodeWord(secondsOf(time)) + encodeWord(incrementOf(time));
}

function encodeWord(word: number): string {
  return word.toString(16).toUpperCase().padStart(8, '0');
}

/** @throws CommandError with mongod's code for what is no token */
export function parseToken(token: RawValue): Token {
  const data = readData(token);
  if (data === undefined) {
    throw new CommandError(
      40647,
      'Bad resume token: _data of missing or of wrong type. Expected string, got another type',
    );
  }
  if (!/^([\dA-Fa-f]{2})*$/.test(data)) {
    throw new CommandError(ErrorCode.failedToParse, 'resume token string was not a valid hex string');
  }
  if (data === '') {
    throw new CommandError(40649, 'invalid empty resume token');
  }
  const match =
    /^82([\dA-F]{8})([\dA-F]{8})2B0[24](29|2C0100)29(6[EF])(?:5A1004([\dA-F]{32})|14)?([\dA-F]*)04$/i.exec(
      data,
    );
  if (match === null) {
    throw new CommandError(50811, `KeyString format error: ${data} is no resume token`);
  }
  const [, seconds = '', increment = '', kind, invalidate, uuid = ''] = match;
  return {
    time: toClusterTime(Number.parseInt(seconds, 16), Number.parseInt(increment, 16)),
    isHighWaterMark: kind === ofHighWaterMark,
    isFromInvalidate: invalidate?.toUpperCase() === fromInvalidate,
    uuid: uuid.toLowerCase(),
  };
}

function readData(token: RawValue): string | undefined {
  if (token.type !== bsonTypes.object) {
    return undefined;
  }
  const data = [...readFields(token.bytes, token.start)].find(({ name }) => name === '_data');
  return data?.type === bsonTypes.string ? readString(data) : undefined;
}

/** The error of mongod when the event of a token is not among those of the stream. */
export function tokenNotFound(data: string): FatalStreamError {
  return new FatalStreamError(
    ErrorCode.changeStreamFatalError,
    `cannot resume stream; the resume token was not found. {_data: "${data}"}`,
  );
}
