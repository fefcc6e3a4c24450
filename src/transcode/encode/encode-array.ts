/**
 * Encodes BSON arrays as arrays of Postgres. The binary form is described only in Postgres's source:
 * https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv)
 */

import { bsonTypes } from '../../bson/types.ts';
import { type BsonBytes, ElementCursor } from '../../bson/cursor.ts';
import { copyNull, type EncodeField } from '../field.ts';
import { Output } from '../../bson/output.ts';

/** The number of dimensions, a flag, the elements' type; then, of each dimension, its length and its first index. */
const fixedHeaderBytes = 12;
const dimensionBytes = 8;

/**
 * An array fits if each of its elements does; null is an element like any other. With several dimensions, it must be arrays of
 * arrays to that depth, all of a level with the same length. None may be empty, since Postgres would lose their number; only the
 * whole array may be empty.
 */
export function createArrayEncoder(
  elements: readonly EncodeField[],
  elementOid: number,
  dimensions: number,
): EncodeField {
  const levels = Array.from({ length: dimensions }, () => ({ cursor: new ElementCursor(), length: unknown }));
  const headerBytes = fixedHeaderBytes + dimensions * dimensionBytes;
  let hasNull = 0;

  return (source, start, end, output) => {
    const lengthAt = output.position;
    const headerAt = lengthAt + 4;
    output.reserve(4 + headerBytes);
    output.position = headerAt + headerBytes;
    hasNull = 0;
    for (const level of levels) level.length = unknown;
    if (!writeLevel(0, source, start, end, output)) {
      output.position = lengthAt;
      return false;
    }
    // Without elements there is no dimension.
    const isEmpty = levels[0]?.length === 0;
    if (isEmpty) output.position = headerAt + fixedHeaderBytes;
    const { view } = output;
    view.setInt32(lengthAt, output.position - headerAt);
    view.setInt32(headerAt, isEmpty ? 0 : dimensions);
    view.setInt32(headerAt + 4, hasNull);
    view.setUint32(headerAt + 8, elementOid);
    if (isEmpty) return true;
    let at = headerAt + fixedHeaderBytes;
    for (const { length } of levels) {
      view.setInt32(at, length);
      view.setInt32(at + 4, 1);
      at += dimensionBytes;
    }
    return true;
  };

  function writeLevel(depth: number, source: BsonBytes, start: number, end: number, output: Output): boolean {
    const level = levels[depth];
    if (level === undefined) return false;
    const { cursor } = level;
    const isInner = depth + 1 < dimensions;
    let count = 0;
    cursor.open(source.view, start, end);
    for (; cursor.next(null); count++) {
      const { type, valueStart, valueEnd } = cursor;
      if (isInner) {
        if (type !== bsonTypes.array || !writeLevel(depth + 1, source, valueStart, valueEnd, output)) {
          return false;
        }
      } else if (type === bsonTypes.null) {
        output.writeInt32(copyNull);
        hasNull = 1;
      } else if (elements[type]?.(source, valueStart, valueEnd, output) !== true) {
        return false;
      }
    }
    if (level.length === unknown) level.length = count;
    return level.length === count && (count > 0 || depth === 0);
  }
}

/** The length of a level without arrays so far. */
const unknown = -1;

/** Scratch space for results that are discarded. */
const scratchBytes = 64;

/** Whether the shape of an array differs from that of a Postgres array with this many dimensions. */
export function isRagged(source: BsonBytes, start: number, end: number, dimensions: number): boolean {
  const anything = Array.from({ length: 256 }, (): EncodeField => () => true);
  return !createArrayEncoder(anything, 0, dimensions)(source, start, end, new Output(scratchBytes));
}
