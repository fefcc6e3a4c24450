/**
 * Encodes BSON arrays as arrays of one dimension. The binary form is described only in Postgres's source:
 * https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c (array_recv)
 */

import { bsonTypes } from './bson-types.ts';
import { ElementCursor } from './bson.ts';
import { COPY_NULL, type EncodeField } from './field.ts';

/** The number of dimensions, a flag, the elements' type; then, of each dimension, its length and its first index. */
const HEADER_BYTES = 12;
const DIMENSION_BYTES = 8;

/** An array fits if each of its elements does; null is an element like any other. */
export function createArrayEncoder(elements: readonly EncodeField[], elementOid: number): EncodeField {
  const cursor = new ElementCursor();
  return (source, start, end, output) => {
    const lengthAt = output.position;
    const headerAt = lengthAt + 4;
    output.reserve(4 + HEADER_BYTES + DIMENSION_BYTES);
    output.position = headerAt + HEADER_BYTES + DIMENSION_BYTES;
    let count = 0;
    let hasNull = 0;
    cursor.open(source.view, start, end);
    for (; cursor.next(null); count++) {
      if (cursor.type === bsonTypes.null) {
        output.writeInt32(COPY_NULL);
        hasNull = 1;
      } else if (elements[cursor.type]?.(source, cursor.valueStart, cursor.valueEnd, output) !== true) {
        output.position = lengthAt;
        return false;
      }
    }
    // Without elements there is no dimension.
    if (count === 0) output.position = headerAt + HEADER_BYTES;
    const { view } = output;
    view.setInt32(lengthAt, output.position - headerAt);
    view.setInt32(headerAt, count === 0 ? 0 : 1);
    view.setInt32(headerAt + 4, hasNull);
    view.setUint32(headerAt + 8, elementOid);
    if (count > 0) {
      view.setInt32(headerAt + HEADER_BYTES, count);
      view.setInt32(headerAt + HEADER_BYTES + 4, 1);
    }
    return true;
  };
}
