/** Measures BSON values: each length is checked against the end of its parent before it is trusted. */

import { BsonError, bsonTypes } from './types.ts';

/** An int32 length, a byte of content or none, and the NUL that ends a document. */
const minDocumentBytes = 5;

/**
 * The offset of the NUL that ends the text at `start`. Throws a BsonError if there is none before `limit`.
 */
export function findNul(view: DataView, start: number, limit: number, what: string): number {
  for (let i = start; i < limit; i++) {
    if (view.getUint8(i) === 0) return i;
  }
  throw new BsonError(`${what} without an end`, start);
}

function checkFits(size: number, start: number, limit: number, what: string): void {
  if (size > limit - start) {
    throw new BsonError(`${what} of ${size} bytes where ${Math.max(limit - start, 0)} are left`, start);
  }
}

function readLength(view: DataView, start: number, limit: number, what: string): number {
  checkFits(4, start, limit, `the length of ${what}`);
  return view.getInt32(start, true);
}

/** The length of a document that stays within its parent; its last byte is not looked at. */
export function measureDocument(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'a document');
  if (length < minDocumentBytes) throw new BsonError(`a document of ${length} bytes`, start);
  checkFits(length, start, limit, 'a document');
  return length;
}

/** The length of a document that stays within its parent and ends with its NUL. */
export function checkDocument(view: DataView, start: number, limit: number): number {
  const length = measureDocument(view, start, limit);
  if (view.getUint8(start + length - 1) !== 0) {
    throw new BsonError('a document without its final NUL', start + length - 1);
  }
  return length;
}

/** The length of a string with its length word and its NUL. */
function checkString(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'a string');
  if (length < 1) throw new BsonError(`a string of ${length} bytes`, start);
  checkFits(length, start + 4, limit, 'a string');
  if (view.getUint8(start + 4 + length - 1) !== 0) {
    throw new BsonError('a string without its final NUL', start + 4 + length - 1);
  }
  return 4 + length;
}

function checkFixed(size: number, start: number, limit: number): number {
  checkFits(size, start, limit, 'a value');
  return size;
}

/** The length in bytes of the value at `start`, which was found to end at or before `limit`. */
export function measureValue(view: DataView, type: number, start: number, limit: number): number {
  switch (type) {
    case bsonTypes.string:
    case bsonTypes.javascript:
    case bsonTypes.symbol:
      return checkString(view, start, limit);
    case bsonTypes.int:
      return checkFixed(4, start, limit);
    case bsonTypes.double:
    case bsonTypes.date:
    case bsonTypes.long:
    case bsonTypes.timestamp:
      return checkFixed(8, start, limit);
    case bsonTypes.objectId:
      return checkFixed(12, start, limit);
    case bsonTypes.bool:
      return checkBool(view, start, limit);
    case bsonTypes.object:
    case bsonTypes.array:
      return checkDocument(view, start, limit);
    case bsonTypes.null:
    case bsonTypes.undefined:
    case bsonTypes.minKey:
    case bsonTypes.maxKey:
      return 0;
    case bsonTypes.decimal:
      return checkFixed(16, start, limit);
    case bsonTypes.binData:
      return checkBinary(view, start, limit);
    case bsonTypes.regex: {
      const pattern = findNul(view, start, limit, 'a regular expression');
      return findNul(view, pattern + 1, limit, 'the options of a regular expression') + 1 - start;
    }
    case bsonTypes.dbPointer: {
      const length = checkString(view, start, limit);
      return length + checkFixed(12, start + length, limit);
    }
    case bsonTypes.javascriptWithScope:
      return checkCodeWithScope(view, start, limit);
    default:
      throw new BsonError(`a value of the unknown type 0x${type.toString(16).padStart(2, '0')}`, start);
  }
}

function checkBool(view: DataView, start: number, limit: number): number {
  checkFits(1, start, limit, 'a value');
  const value = view.getUint8(start);
  if (value > 1) throw new BsonError(`a boolean of the value ${value}`, start);
  return 1;
}

function checkBinary(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'a binary value');
  if (length < 0) throw new BsonError(`a binary value of ${length} bytes`, start);
  checkFits(1 + length, start + 4, limit, 'a binary value');
  if (view.getUint8(start + 4) === oldBinarySubtype) {
    // This subtype repeats its length inside.
    const inner = readLength(view, start + 5, start + 5 + length, 'an old binary value');
    if (inner !== length - 4) throw new BsonError(`an old binary value of ${inner} bytes`, start + 5);
  }
  return 5 + length;
}

export const oldBinarySubtype = 2;

function checkCodeWithScope(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'code with scope');
  checkFits(length, start, limit, 'code with scope');
  const end = start + length;
  const codeLength = checkString(view, start + 4, end);
  const scopeLength = checkDocument(view, start + 4 + codeLength, end);
  if (4 + codeLength + scopeLength !== length) {
    throw new BsonError(`code with scope of ${length} bytes`, start);
  }
  return length;
}
