/** Points between the first and the last `_id` of a collection, to read a sample from all over it. */

import { deserialize, Double, ObjectId, type Document } from 'bson';

/**
 * @param first `{_id: …}` as BSON, as is `last`
 * @returns `count` values from the first `_id` on, evenly apart; null where values of this type have no middle
 */
export function spreadIds(first: Uint8Array, last: Uint8Array, count: number): unknown[] | null {
  const [from, to] = [readId(first), readId(last)];
  const steps = Array.from({ length: count }, (_, index) => index);
  if (from instanceof ObjectId && to instanceof ObjectId) {
    const [low, high] = [BigInt(`0x${from.toHexString()}`), BigInt(`0x${to.toHexString()}`)];
    return steps.map((step) => {
      const between = low + ((high - low) * BigInt(step)) / BigInt(count);
      return new ObjectId(between.toString(16).padStart(24, '0'));
    });
  }
  const isDate = from instanceof Date && to instanceof Date;
  if (!isDate && !(isNumber(from) && isNumber(to))) return null;
  const [low, high] = [Number(from), Number(to)];
  // NaN and infinities have no middle, nor has a date beyond what JavaScript knows.
  if (!Number.isFinite(low) || !Number.isFinite(high)) return null;
  // Not high - low first: that may be more than a double holds.
  const between = steps.map((step) => low * (1 - step / count) + high * (step / count));
  return between.map((value) => (isDate ? new Date(value) : new Double(value)));
}

function readId(document: Uint8Array): unknown {
  return deserialize(document, { promoteLongs: false })._id as unknown;
}

/** An int32, a double or an int64; not a decimal, whose exponents go further than a double's. */
function isNumber(value: unknown): boolean {
  return typeof value === 'number' || (value as Document | null)?._bsontype === 'Long';
}
