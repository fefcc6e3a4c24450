/** Groups `_id`s that may be the key of the same row. For MongoDB, 1, 1.0 and NumberLong(1) are the same `_id`. */

import { findBinaryContent, isUuid } from './binary.ts';
import { findField, wrapBytes } from './cursor.ts';
import { readAsDouble } from './match/numbers.ts';
import { bsonTypes } from './types.ts';

/**
 * The same text for all `_id`s that may become the same key. Different keys may have the same text: then they are only
 * grouped without need.
 * @param id `{_id: …}` as BSON
 */
export function keyOfId(id: Uint8Array): string {
  const element = findField(id, '_id');
  if (element === null) return '';
  const { type, valueStart, valueEnd } = element;
  const source = wrapBytes(id);
  const { bytes, view } = source;
  switch (type) {
    case bsonTypes.int:
    case bsonTypes.double:
    case bsonTypes.long:
    case bsonTypes.decimal:
      return numberKey(readAsDouble(type, bytes, valueStart));
    case bsonTypes.string:
    case bsonTypes.symbol:
      return textKey(bytes.toString('latin1', valueStart + 4, valueEnd - 1));
    case bsonTypes.objectId:
      // In a text column it is its hex digits.
      return textKey(bytes.toString('hex', valueStart, valueEnd));
    case bsonTypes.binData:
      return isUuid(source, valueStart, valueEnd)
        ? textKey(uuidText(bytes.toString('hex', findBinaryContent(view, valueStart), valueEnd)))
        : `b${bytes.toString('latin1', valueStart, valueEnd)}`;
    default:
      return `o${bytes.toString('latin1', valueStart, valueEnd)}`;
  }
}

/** Equal numbers have the same nearest double; 0 and -0 are equal. */
function numberKey(value: number): string {
  return `n${value === 0 ? 0 : value}`;
}

/** Lower case, because a uuid column accepts capitals as well, and a collation may ignore case. */
function textKey(text: string): string {
  return `t${text.toLowerCase()}`;
}

function uuidText(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The number of slots into which the ids of a collection are divided. */
export const slotCount = 64;

/** The slot of a key. FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function slotOfKey(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 16)) & (slotCount - 1);
}
