/** Makes a document ready to be stored, as mongod does: checked, and with a valid `_id` in front. */
import { ObjectId } from 'bson';
import {
  BsonType,
  checkDocument,
  checkValue,
  readFields,
  readInt32,
  skipName,
} from '../../match/bson-view.ts';
import { CommandError, ErrorCode } from './errors.ts';

export const maxDocumentBytes = 16 * 1024 * 1024;

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
 */
export function prepareDocument(bytes: Buffer, start: number, limit: number): PreparedDocument {
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
    const next = checkValue(type, bytes, valueStart, end);
    if (valueStart === offset + 5 && readInt32(bytes, offset + 1) === idNameWord) {
      if (idField !== -1) {
        throw new CommandError(ErrorCode.badValue, "can't have multiple _id fields in one document");
      }
      checkId(type, bytes, valueStart);
      idField = offset;
      idEnd = next;
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

function checkId(type: number, bytes: Buffer, start: number): void {
  switch (type) {
    case BsonType.array:
      throw new CommandError(ErrorCode.badValue, "can't use an array for _id");
    case BsonType.regex:
      throw new CommandError(ErrorCode.badValue, "can't use a regex for _id");
    case BsonType.undefined:
      throw new CommandError(ErrorCode.badValue, "can't use a undefined for _id");
    case BsonType.object:
      for (const { name } of readFields(bytes, start)) {
        if (name.startsWith('$')) {
          throw new CommandError(
            ErrorCode.dollarPrefixedFieldName,
            `_id fields may not contain '$'-prefixed fields: ${name} is not valid for storage.`,
          );
        }
      }
      break;
    default:
  }
}

/** The element `_id: ObjectId()`. */
function createId(): Buffer {
  return Buffer.concat([Buffer.from('\x07_id\0', 'latin1'), new ObjectId().id]);
}
