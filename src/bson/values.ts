/** Measures BSON values. Every length is checked against the end of the parent before it is used. */

import { BsonError, bsonTypes, fixedSizes } from './types.ts';

/** An int32 length and the terminating NUL. */
const minDocumentBytes = 5;

/**
 * The offset of the NUL that ends the text at `start`.
 * @throws BsonError if there is none before `limit`
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

/** The length of a document, which must fit into its parent. Its last byte is not checked. */
export function measureDocument(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'a document');
  if (length < minDocumentBytes) throw new BsonError(`a document of ${length} bytes`, start);
  checkFits(length, start, limit, 'a document');
  return length;
}

/** The length of a document, which must fit into its parent and end with a NUL. */
export function checkDocument(view: DataView, start: number, limit: number): number {
  const length = measureDocument(view, start, limit);
  if (view.getUint8(start + length - 1) !== 0) {
    throw new BsonError('a document without its final NUL', start + length - 1);
  }
  return length;
}

/** The length of a string value, including its length word and its NUL. */
function checkString(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'a string');
  if (length < 1) throw new BsonError(`a string of ${length} bytes`, start);
  checkFits(length, start + 4, limit, 'a string');
  if (view.getUint8(start + 4 + length - 1) !== 0) {
    throw new BsonError('a string without its final NUL', start + 4 + length - 1);
  }
  return 4 + length;
}

/** The size in bytes of the value at `start`, which must end at or before `limit`. Frequent types come first. */
export function measureValue(view: DataView, type: number, start: number, limit: number): number {
  switch (type) {
    case bsonTypes.string:
    case bsonTypes.javascript:
    case bsonTypes.symbol:
      return checkString(view, start, limit);
    case bsonTypes.int:
    case bsonTypes.double:
    case bsonTypes.date:
    case bsonTypes.long:
    case bsonTypes.timestamp:
    case bsonTypes.objectId:
      return checkFixed(type, start, limit);
    case bsonTypes.bool:
      return checkBool(view, start, limit);
    case bsonTypes.object:
    case bsonTypes.array:
      return checkDocument(view, start, limit);
    case bsonTypes.binData:
      return checkBinary(view, start, limit);
    case bsonTypes.regex: {
      const pattern = findNul(view, start, limit, 'a regular expression');
      return findNul(view, pattern + 1, limit, 'the options of a regular expression') + 1 - start;
    }
    case bsonTypes.dbPointer: {
      const length = checkString(view, start, limit);
      return length + checkFixed(bsonTypes.objectId, start + length, limit);
    }
    case bsonTypes.javascriptWithScope:
      return checkCodeWithScope(view, start, limit);
    default:
      return checkFixed(type, start, limit);
  }
}

function checkFixed(type: number, start: number, limit: number): number {
  const size = fixedSizes[type] ?? -1;
  if (size < 0) throw unknownType(type, start);
  checkFits(size, start, limit, 'a value');
  return size;
}

function unknownType(type: number, start: number): BsonError {
  return new BsonError(`a value of the unknown type 0x${type.toString(16).padStart(2, '0')}`, start);
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
    // This subtype has a second length word.
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

/** The offset of the scope in a value of the type `javascriptWithScope`. */
export function findScope(view: DataView, start: number): number {
  return start + 8 + view.getInt32(start + 4, true);
}
