/** Makes a document ready to be stored, as mongod does: checked, and with a valid `_id` in front. */
import { ObjectId } from 'bson';
import {
  BsonType,
  checkDocument,
  checkValue,
  maxDepth,
  readFields,
  readInt32,
  skipName,
} from '../../../../src/bson/match/bson-view.ts';
import { QueryError, QueryErrorCode } from '../../../../src/bson/match/errors.ts';
import { nameType } from '../../../../src/bson/match/type-names.ts';
import { CommandError, ErrorCode } from './errors.ts';

export const maxDocumentBytes = 16 * 1024 * 1024;

/** Of a document that is stored, itself included; a command may be nested deeper, up to `maxDepth`. */
const maxStoredDepth = 180;

/** `_id` and its zero, as a little-endian word. */
const idNameWord = 0x00_64_69_5f;

/** Whether the document's first field is its `_id`. */
export function isIdFirst(bytes: Buffer, start: number): boolean {
  return readInt32(bytes, start) > 9 && readInt32(bytes, start + 5) === idNameWord;
}

/** A document in [start, end) of `bytes`. */
export interface PreparedDocument {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Checks the document at `start` and hands it back in place, or, when its `_id` is missing or not its first field,
 * as a copy that begins with its `_id`.
 *
 * @param now gives what stands in place of a field's `Timestamp(0, 0)`; without it, that is kept
 */
export function prepareDocument(
  bytes: Buffer,
  start: number,
  limit: number,
  now?: () => bigint,
): PreparedDocument {
  const end = checkDocument(bytes, start, limit);
  if (end - start > maxDocumentBytes) {
    throw new CommandError(
      ErrorCode.badValue,
      `object to insert too large. size in bytes: ${end - start}, max size: ${maxDocumentBytes}`,
    );
  }
  let idField = -1;
  let idEnd = -1;
  let offset = start + 4;
  while (offset < end - 1) {
    const type = bytes[offset] ?? 0;
    const valueStart = skipName(bytes, offset + 1, end);
    const next = checkStoredValue(type, bytes, valueStart, end);
    if (valueStart === offset + 5 && readInt32(bytes, offset + 1) === idNameWord) {
      if (idField !== -1) {
        throw new CommandError(ErrorCode.badValue, "can't have multiple _id fields in one document");
      }
      checkId(type, bytes, valueStart);
      idField = offset;
      idEnd = next;
    } else if (type === BsonType.timestamp && now !== undefined && isZero(bytes, valueStart)) {
      bytes.writeBigUInt64LE(now(), valueStart);
    }
    offset = next;
  }
  if (idField === start + 4) {
    return { bytes, start, end };
  }
  const id = idField === -1 ? createId() : bytes.subarray(idField, idEnd);
  const length = end - start + (idField === -1 ? id.length : 0);
  const copy = Buffer.allocUnsafe(length);
  copy.writeInt32LE(length, 0);
  copy.set(id, 4);
  const middle = idField === -1 ? end : idField;
  const copied = bytes.copy(copy, 4 + id.length, start + 4, middle);
  if (idField !== -1) {
    bytes.copy(copy, 4 + id.length + copied, idEnd, end);
  }
  return { bytes: copy, start: 0, end: length };
}

function isZero(bytes: Buffer, start: number): boolean {
  return bytes.readBigUInt64LE(start) === 0n;
}

function checkStoredValue(type: number, bytes: Buffer, start: number, limit: number): number {
  try {
    return checkValue(type, bytes, start, limit, maxDepth - maxStoredDepth + 1);
  } catch (error) {
    if (!(error instanceof QueryError) || error.code !== QueryErrorCode.overflow) throw error;
    throw new CommandError(
      ErrorCode.overflow,
      `cannot insert document because it exceeds ${maxStoredDepth} levels of nesting`,
    );
  }
}

/** As MongoDB since 5.0; older ones refuse the same with other words, and arrays with the code 2. */
function checkId(type: number, bytes: Buffer, start: number): void {
  switch (type) {
    case BsonType.array:
    case BsonType.regex:
    case BsonType.undefined:
      throw new CommandError(ErrorCode.invalidIdField, `The '_id' value cannot be of type ${nameType(type)}`);
    case BsonType.object:
      refuseOperators(bytes, start);
      break;
    default:
  }
}

/** At any depth of an `_id`, names with `$` in front are those of a DBRef only. */
function refuseOperators(bytes: Buffer, start: number): void {
  const isReference = isDbRef(bytes, start);
  let position = 0;
  for (const { name, type, start: valueStart } of readFields(bytes, start)) {
    const isPartOfReference = isReference && position < 3 && name === dbRefNames[position];
    position++;
    if (name.startsWith('$') && !isPartOfReference) {
      throw new CommandError(
        ErrorCode.dollarPrefixedFieldName,
        `_id fields may not contain '$'-prefixed fields: ${name} is not valid for storage.`,
      );
    }
    if (type === BsonType.object || type === BsonType.array) {
      refuseOperators(bytes, valueStart);
    } else if (type === BsonType.javascriptWithScope) {
      refuseOperators(bytes, valueStart + 8 + readInt32(bytes, valueStart + 4));
    }
  }
}

const dbRefNames = ['$ref', '$id', '$db'];

/** `{$ref: text, $id: value, …}` */
function isDbRef(bytes: Buffer, start: number): boolean {
  const [first, second, third] = readFields(bytes, start);
  return (
    first?.name === '$ref' &&
    first.type === BsonType.string &&
    second?.name === '$id' &&
    (third?.name !== '$db' || third.type === BsonType.string)
  );
}

/** The element `_id: ObjectId()`. */
function createId(): Buffer {
  return Buffer.concat([Buffer.from('\x07_id\0', 'latin1'), new ObjectId().id]);
}
