/** Points between the first and the last `_id` of a collection, at which to read a sample. */

import { doubleOf, type BsonValue } from '../../../bson/build.ts';
import { bsonTypes } from '../../../bson/types.ts';
import { readId } from '../paging/id-brackets.ts';

/**
 * @param first `{_id: …}` as BSON, as is `last`
 * @returns `count` evenly spaced values from the first `_id` on; null if values of this type have no middle
 */
export function spreadIds(first: Uint8Array, last: Uint8Array, count: number): BsonValue[] | null {
  const [from, to] = [readId(first), readId(last)];
  const steps = Array.from({ length: count }, (_, index) => index);
  if (from.type === bsonTypes.objectId && to.type === bsonTypes.objectId) {
    const [low, high] = [readObjectId(from), readObjectId(to)];
    return steps.map((step) => objectIdOf(low + ((high - low) * BigInt(step)) / BigInt(count)));
  }
  if (from.type === bsonTypes.date && to.type === bsonTypes.date) {
    const [low, high] = [readInt64(from), readInt64(to)];
    return steps.map((step) => dateOf(low + ((high - low) * BigInt(step)) / BigInt(count)));
  }
  const [low, high] = [readNumber(from), readNumber(to)];
  if (low === null || high === null) return null;
  // Not `high - low` first, because that may overflow a double.
  return steps.map((step) => doubleOf(low * (1 - step / count) + high * (step / count)));
}

/** An int32, a double or an int64. Null for NaN and infinities, and for decimals, whose exponents can be too large. */
function readNumber(value: BsonValue): number | null {
  const view = viewOf(value);
  switch (value.type) {
    case bsonTypes.int:
      return view.getInt32(0, true);
    case bsonTypes.long:
      return Number(view.getBigInt64(0, true));
    case bsonTypes.double: {
      const double = view.getFloat64(0, true);
      return Number.isFinite(double) ? double : null;
    }
    default:
      return null;
  }
}

function readInt64(value: BsonValue): bigint {
  return viewOf(value).getBigInt64(0, true);
}

function dateOf(epochMs: bigint): BsonValue {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(epochMs);
  return { type: bsonTypes.date, bytes };
}

/** Its twelve bytes as one number. ObjectIds sort in the order of these numbers. */
function readObjectId({ bytes }: BsonValue): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

function objectIdOf(number: bigint): BsonValue {
  return { type: bsonTypes.objectId, bytes: Buffer.from(number.toString(16).padStart(24, '0'), 'hex') };
}

function viewOf({ bytes }: BsonValue): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
