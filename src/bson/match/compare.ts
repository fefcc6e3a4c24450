/**
 * Compares BSON values in place, in MongoDB's order of types and of values within a type.
 *
 * https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
 */
import { ElementCursor } from '../cursor.ts';
import { findValueEnd, type RawValue, readInt32, skipName, viewOf } from '../raw-value.ts';
import { bsonTypes, rankOf } from '../types.ts';
import { compareNumbers } from './numbers.ts';

/** Compares two BSON strings; the offsets are those of their length words. */
export type TextOrder = (bytesA: Buffer, startA: number, bytesB: Buffer, startB: number) => number;

/** @param order the collation of strings and symbols, also within objects and arrays */
export function compareRaw(a: RawValue, b: RawValue, order: TextOrder = byBytes): number {
  return compareValues(a.type, a.bytes, a.start, b.type, b.bytes, b.start, order);
}

/** Negative if a sorts before b, 0 if they are equal for MongoDB, positive if a sorts after b. */
export function compareValues(
  typeA: number,
  bytesA: Buffer,
  startA: number,
  typeB: number,
  bytesB: Buffer,
  startB: number,
  order: TextOrder = byBytes,
): number {
  if (typeA === bsonTypes.objectId && typeB === bsonTypes.objectId) {
    return compareObjectIds(bytesA, startA, bytesB, startB);
  }
  const rank = rankOf(typeA);
  const rankDifference = rank - rankOf(typeB);
  return rankDifference === 0
    ? compareWithinRank(typeA, bytesA, startA, typeB, bytesB, startB, order)
    : rankDifference;
}

/** Twelve bytes as three big-endian words. */
export function compareObjectIds(bytesA: Buffer, startA: number, bytesB: Buffer, startB: number): number {
  for (let offset = 0; offset < 12; offset += 4) {
    const a = readUint32BE(bytesA, startA + offset);
    const b = readUint32BE(bytesB, startB + offset);
    if (a !== b) {
      return a < b ? -1 : 1;
    }
  }
  return 0;
}

function compareWithinRank(
  typeA: number,
  bytesA: Buffer,
  startA: number,
  typeB: number,
  bytesB: Buffer,
  startB: number,
  order: TextOrder,
): number {
  switch (typeA) {
    case bsonTypes.double:
    case bsonTypes.int:
    case bsonTypes.long:
    case bsonTypes.decimal:
      return compareNumbers(typeA, bytesA, startA, typeB, bytesB, startB);
    case bsonTypes.string:
    case bsonTypes.symbol:
      return order(bytesA, startA, bytesB, startB);
    case bsonTypes.javascript:
      return byBytes(bytesA, startA, bytesB, startB);
    case bsonTypes.object:
      return compareDocuments(bytesA, startA, bytesB, startB, { areNamesCompared: true, order });
    case bsonTypes.array:
      return compareDocuments(bytesA, startA, bytesB, startB, { areNamesCompared: false, order });
    case bsonTypes.binData:
      // Length first, then the subtype, then the bytes: the subtype byte comes just before them.
      return (
        readInt32(bytesA, startA) - readInt32(bytesB, startB) ||
        bytesA.compare(
          bytesB,
          startB + 4,
          startB + 5 + readInt32(bytesB, startB),
          startA + 4,
          startA + 5 + readInt32(bytesA, startA),
        )
      );
    case bsonTypes.bool:
      return (bytesA[startA] ?? 0) - (bytesB[startB] ?? 0);
    case bsonTypes.date:
      return compareWords(bytesA, startA, bytesB, startB, true);
    case bsonTypes.timestamp:
      return compareWords(bytesA, startA, bytesB, startB, false);
    case bsonTypes.regex:
      return compareRegexes(bytesA, startA, bytesB, startB);
    case bsonTypes.dbPointer:
      return compareDbPointers(bytesA, startA, bytesB, startB);
    case bsonTypes.javascriptWithScope:
      return (
        byBytes(bytesA, startA + 4, bytesB, startB + 4) ||
        compareDocuments(
          bytesA,
          findValueEnd(bsonTypes.string, bytesA, startA + 4),
          bytesB,
          findValueEnd(bsonTypes.string, bytesB, startB + 4),
          { areNamesCompared: true, order },
        )
      );
    default:
      // MinKey, MaxKey, null and undefined have one value each.
      return 0;
  }
}

/** Compares without a collation: bytes, then the length. A NUL in the text counts like any byte. */
export function byBytes(bytesA: Buffer, startA: number, bytesB: Buffer, startB: number): number {
  const endA = startA + 3 + readInt32(bytesA, startA);
  const endB = startB + 3 + readInt32(bytesB, startB);
  return bytesA.compare(bytesB, startB + 4, endB, startA + 4, endA);
}

/** Field by field: the type's rank, then the name (not in arrays), then the value; a prefix sorts first. */
function compareDocuments(
  bytesA: Buffer,
  startA: number,
  bytesB: Buffer,
  startB: number,
  { areNamesCompared, order }: { readonly areNamesCompared: boolean; readonly order: TextOrder },
): number {
  const a = openCursor(bytesA, startA);
  const b = openCursor(bytesB, startB);
  for (;;) {
    const hasA = a.next(null);
    const hasB = b.next(null);
    if (!hasA || !hasB) {
      return Number(hasA) - Number(hasB);
    }
    const rankDifference = rankOf(a.type) - rankOf(b.type);
    if (rankDifference !== 0) {
      return rankDifference;
    }
    if (areNamesCompared) {
      const nameDifference = bytesA.compare(bytesB, b.nameStart, b.nameEnd, a.nameStart, a.nameEnd);
      if (nameDifference !== 0) {
        return nameDifference;
      }
    }
    const difference = compareWithinRank(a.type, bytesA, a.valueStart, b.type, bytesB, b.valueStart, order);
    if (difference !== 0) {
      return difference;
    }
  }
}

function openCursor(bytes: Buffer, start: number): ElementCursor {
  const cursor = new ElementCursor();
  cursor.open(viewOf(bytes), start, bytes.length);
  return cursor;
}

/** Pattern, then flags; both end in a zero byte, which sorts a prefix first. */
function compareRegexes(bytesA: Buffer, startA: number, bytesB: Buffer, startB: number): number {
  const flagsA = skipName(bytesA, startA, bytesA.length);
  const flagsB = skipName(bytesB, startB, bytesB.length);
  return (
    bytesA.compare(bytesB, startB, flagsB, startA, flagsA) ||
    bytesA.compare(
      bytesB,
      flagsB,
      skipName(bytesB, flagsB, bytesB.length),
      flagsA,
      skipName(bytesA, flagsA, bytesA.length),
    )
  );
}

/** Size, then all bytes. */
function compareDbPointers(bytesA: Buffer, startA: number, bytesB: Buffer, startB: number): number {
  const endA = findValueEnd(bsonTypes.dbPointer, bytesA, startA);
  const endB = findValueEnd(bsonTypes.dbPointer, bytesB, startB);
  return endA - startA - (endB - startB) || bytesA.compare(bytesB, startB, endB, startA, endA);
}

/** Little-endian 64-bit integers: a date is signed, a timestamp is not. */
function compareWords(
  bytesA: Buffer,
  startA: number,
  bytesB: Buffer,
  startB: number,
  isSigned: boolean,
): number {
  const highA = readInt32(bytesA, startA + 4);
  const highB = readInt32(bytesB, startB + 4);
  const high = isSigned ? highA - highB : (highA >>> 0) - (highB >>> 0);
  return high || (readInt32(bytesA, startA) >>> 0) - (readInt32(bytesB, startB) >>> 0);
}

function readUint32BE(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] ?? 0) << 24) |
      ((bytes[offset + 1] ?? 0) << 16) |
      ((bytes[offset + 2] ?? 0) << 8) |
      (bytes[offset + 3] ?? 0)) >>>
    0
  );
}
