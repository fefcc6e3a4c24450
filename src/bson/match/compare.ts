/**
 * Compares BSON values in place, in MongoDB's order of types and of values within a type.
 *
 * https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
 */
import { BsonType, findValueEnd, readInt32, skipName } from './bson-view.ts';
import type { RawValue } from './bson-view.ts';
import { compareNumbers } from './numbers.ts';

/** The place of each type in the order; types that compare with each other by value share one. */
export const ranks: Uint8Array = (() => {
  const byType = new Uint8Array(256);
  const order: readonly (readonly number[])[] = [
    [BsonType.minKey],
    [BsonType.undefined],
    [BsonType.null],
    [BsonType.double, BsonType.int, BsonType.long, BsonType.decimal],
    [BsonType.string, BsonType.symbol],
    [BsonType.object],
    [BsonType.array],
    [BsonType.binData],
    [BsonType.objectId],
    [BsonType.bool],
    [BsonType.date],
    [BsonType.timestamp],
    [BsonType.regex],
    [BsonType.dbPointer],
    [BsonType.javascript],
    [BsonType.javascriptWithScope],
    [BsonType.maxKey],
  ];
  for (const [index, types] of order.entries()) {
    for (const type of types) {
      byType[type] = index + 1;
    }
  }
  return byType;
})();

export function rankOf(type: number): number {
  return ranks[type] ?? 0;
}

export function compareRaw(a: RawValue, b: RawValue): number {
  return compareValues(a.type, a.bytes, a.start, b.type, b.bytes, b.start);
}

/** Negative when a sorts before b, 0 when MongoDB takes them for equal, positive when a sorts after b. */
export function compareValues(
  typeA: number,
  bytesA: Buffer,
  startA: number,
  typeB: number,
  bytesB: Buffer,
  startB: number,
): number {
  if (typeA === BsonType.objectId && typeB === BsonType.objectId) {
    return compareObjectIds(bytesA, startA, bytesB, startB);
  }
  const rank = rankOf(typeA);
  const rankDifference = rank - rankOf(typeB);
  return rankDifference === 0
    ? compareWithinRank(typeA, bytesA, startA, typeB, bytesB, startB)
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
): number {
  switch (typeA) {
    case BsonType.double:
    case BsonType.int:
    case BsonType.long:
    case BsonType.decimal:
      return compareNumbers(typeA, bytesA, startA, typeB, bytesB, startB);
    case BsonType.string:
    case BsonType.symbol:
    case BsonType.javascript:
      return compareStrings(bytesA, startA, bytesB, startB);
    case BsonType.object:
      return compareDocuments(bytesA, startA, bytesB, startB, true);
    case BsonType.array:
      return compareDocuments(bytesA, startA, bytesB, startB, false);
    case BsonType.binData:
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
    case BsonType.bool:
      return (bytesA[startA] ?? 0) - (bytesB[startB] ?? 0);
    case BsonType.date:
      return compareWords(bytesA, startA, bytesB, startB, true);
    case BsonType.timestamp:
      return compareWords(bytesA, startA, bytesB, startB, false);
    case BsonType.regex:
      return compareRegexes(bytesA, startA, bytesB, startB);
    case BsonType.dbPointer:
      return compareDbPointers(bytesA, startA, bytesB, startB);
    case BsonType.javascriptWithScope:
      return (
        compareStrings(bytesA, startA + 4, bytesB, startB + 4) ||
        compareDocuments(
          bytesA,
          findValueEnd(BsonType.string, bytesA, startA + 4),
          bytesB,
          findValueEnd(BsonType.string, bytesB, startB + 4),
          true,
        )
      );
    default:
      // MinKey, MaxKey, null, undefined: one value each.
      return 0;
  }
}

/** Bytes up to the shorter length, then the length; a NUL inside counts like any byte. */
function compareStrings(bytesA: Buffer, startA: number, bytesB: Buffer, startB: number): number {
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
  areNamesCompared: boolean,
): number {
  const lastA = startA + readInt32(bytesA, startA) - 1;
  const lastB = startB + readInt32(bytesB, startB) - 1;
  let offsetA = startA + 4;
  let offsetB = startB + 4;
  while (offsetA < lastA && offsetB < lastB) {
    const typeA = bytesA[offsetA] ?? 0;
    const typeB = bytesB[offsetB] ?? 0;
    const rankDifference = rankOf(typeA) - rankOf(typeB);
    if (rankDifference !== 0) {
      return rankDifference;
    }
    const valueA = skipName(bytesA, offsetA + 1, lastA);
    const valueB = skipName(bytesB, offsetB + 1, lastB);
    if (areNamesCompared) {
      const nameDifference = bytesA.compare(bytesB, offsetB + 1, valueB, offsetA + 1, valueA);
      if (nameDifference !== 0) {
        return nameDifference;
      }
    }
    const difference = compareWithinRank(typeA, bytesA, valueA, typeB, bytesB, valueB);
    if (difference !== 0) {
      return difference;
    }
    offsetA = findValueEnd(typeA, bytesA, valueA);
    offsetB = findValueEnd(typeB, bytesB, valueB);
  }
  return Number(offsetA < lastA) - Number(offsetB < lastB);
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
  const endA = findValueEnd(BsonType.dbPointer, bytesA, startA);
  const endB = findValueEnd(BsonType.dbPointer, bytesB, startB);
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
