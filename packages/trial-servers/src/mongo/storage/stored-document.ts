/** Makes a document ready to be stored, as mongod does: checked, and with a valid `_id` in front. */
import { ObjectId } from 'bson';
import { readFields, readInt32, viewOf } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes, nameOfType } from '../../../../../src/bson/types.ts';
import { ElementCursor, guessName } from '../../../../../src/bson/cursor.ts';
import { checkDocument } from '../checked-bson.ts';
import { CommandError, ErrorCode } from '../errors.ts';

export const maxDocumentBytes = 16 * 1024 * 1024;

/** Of a document that is stored, itself included; a command may be nested deeper, up to `maxNesting`. */
const maxStoredDepth = 180;

const idName = guessName('_id');

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
  const end = checkStoredDocument(bytes, start, limit);
  if (end - start > maxDocumentBytes) {
    throw new CommandError(
      ErrorCode.badValue,
      `object to insert too large. size in bytes: ${end - start}, max size: ${maxDocumentBytes}`,
    );
  }
  let idField = -1;
  let idEnd = -1;
  const cursor = new ElementCursor();
  cursor.open(viewOf(bytes), start, end);
  while (cursor.next(idName)) {
    const { type, isGuessed, nameStart, valueStart, valueEnd } = cursor;
    if (isGuessed) {
      if (idField !== -1) {
        throw new CommandError(ErrorCode.badValue, "can't have multiple _id fields in one document");
      }
      checkId(type, bytes, valueStart);
      idField = nameStart - 1;
      idEnd = valueEnd;
    } else if (type === bsonTypes.timestamp && now !== undefined && isZero(bytes, valueStart)) {
      bytes.writeBigUInt64LE(now(), valueStart);
    }
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

function checkStoredDocument(bytes: Buffer, start: number, limit: number): number {
  try {
    return checkDocument(bytes, start, limit, maxStoredDepth - 1);
  } catch (error) {
    if (!(error instanceof CommandError) || error.code !== ErrorCode.overflow) throw error;
    throw new CommandError(
      ErrorCode.overflow,
      `cannot insert document because it exceeds ${maxStoredDepth} levels of nesting`,
    );
  }
}

/** As MongoDB since 5.0; older ones refuse the same with other words, and arrays with the code 2. */
function checkId(type: number, bytes: Buffer, start: number): void {
  switch (type) {
    case bsonTypes.array:
    case bsonTypes.regex:
    case bsonTypes.undefined:
      throw new CommandError(
        ErrorCode.invalidIdField,
        `The '_id' value cannot be of type ${nameOfType(type)}`,
      );
    case bsonTypes.object:
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
    if (type === bsonTypes.object || type === bsonTypes.array) {
      refuseOperators(bytes, valueStart);
    } else if (type === bsonTypes.javascriptWithScope) {
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
    first.type === bsonTypes.string &&
    second?.name === '$id' &&
    (third?.name !== '$db' || third.type === bsonTypes.string)
  );
}

/** The element `_id: ObjectId()`. */
function createId(): Buffer {
  return Buffer.concat([Buffer.from('\x07_id\0', 'latin1'), new ObjectId().id]);
}
