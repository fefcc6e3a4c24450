/** Tells which `_id`s may be the key of the same row: MongoDB takes 1, 1.0 and NumberLong(1) for one. */

import { Decimal128 } from 'bson';
import { findBinaryContent, isUuid } from './binary.ts';
import { findField } from './cursor.ts';
import { bsonTypes } from './types.ts';

/**
 * The same text for all that may become the same key. Others may have the same text as well: then they are only kept
 * together where that was not needed.
 * @param id `{_id: …}` as BSON
 */
export function keyOfId(id: Uint8Array): string {
  const element = findField(id, '_id');
  if (element === null) return '';
  const { type, valueStart, valueEnd } = element;
  const bytes = Buffer.from(id.buffer, id.byteOffset, id.byteLength);
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  switch (type) {
    case bsonTypes.int:
      return numberKey(view.getInt32(valueStart, true));
    case bsonTypes.double:
      return numberKey(view.getFloat64(valueStart, true));
    case bsonTypes.long:
      return numberKey(Number(view.getBigInt64(valueStart, true)));
    case bsonTypes.decimal:
      return numberKey(Number(new Decimal128(bytes.subarray(valueStart, valueEnd)).toString()));
    case bsonTypes.string:
    case bsonTypes.symbol:
      return textKey(bytes.toString('latin1', valueStart + 4, valueEnd - 1));
    case bsonTypes.objectId:
      // A text column has its digits.
      return textKey(bytes.toString('hex', valueStart, valueEnd));
    case bsonTypes.binData:
      return isUuid({ bytes, view }, valueStart, valueEnd)
        ? textKey(uuidText(bytes.toString('hex', findBinaryContent(view, valueStart), valueEnd)))
        : `b${bytes.toString('latin1', valueStart, valueEnd)}`;
    default:
      return `o${bytes.toString('latin1', valueStart, valueEnd)}`;
  }
}

/** Equal numbers have equal doubles next to them; 0 and -0 are one. */
function numberKey(value: number): string {
  return `n${value === 0 ? 0 : value}`;
}

/** A column of type uuid takes capitals as well, and a collation may take them for small letters. */
function textKey(text: string): string {
  return `t${text.toLowerCase()}`;
}

function uuidText(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** How many parts the ids of a collection are shared out to. */
export const slotCount = 64;

/** The part that all ids of the same key belong to. FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function slotOfKey(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (slotCount - 1);
}
