/** Encodes dates as timestamp with time zone. */

import type { BsonBytes } from '../../bson/cursor.ts';
import { two32 } from '../../bson/digits.ts';
import { beginField } from '../field.ts';
import type { Output } from '../../bson/output.ts';

/** An int64 as its two halves, for constants beyond the integers that a number holds exactly. */
function splitInt64(value: bigint): { high: number; low: number } {
  return { high: Number(value >> 32n), low: Number(BigInt.asUintN(32, value)) };
}

/** Where Postgres counts its microseconds from. */
const postgresEpochMs = BigInt(Date.UTC(2000, 0, 1));
const postgresEpochMicros = splitInt64(postgresEpochMs * 1000n);
/**
 * MIN_TIMESTAMP and END_TIMESTAMP of src/include/datatype/timestamp.h: -4713-11-24 up to before 294277-01-01.
 */
const firstDateMs = splitInt64(-211_813_488_000_000n + postgresEpochMs);
const endDateMs = splitInt64(9_223_371_331_200_000n + postgresEpochMs);

/**
 * Milliseconds since 1970 become microseconds since 2000, in two halves, since a number holds only 53 bits
 * exactly.
 */
export function encodeDate({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const high = view.getInt32(start + 4, true);
  const low = view.getUint32(start, true);
  if (high < firstDateMs.high || (high === firstDateMs.high && low < firstDateMs.low)) return false;
  if (high > endDateMs.high || (high === endDateMs.high && low >= endDateMs.low)) return false;
  const lowMicros = low * 1000;
  const carried = Math.floor(lowMicros / two32);
  const lowDifference = lowMicros - carried * two32 - postgresEpochMicros.low;
  const borrowed = lowDifference < 0 ? 1 : 0;
  const at = beginField(output, 8);
  output.view.setInt32(at, high * 1000 + carried - postgresEpochMicros.high - borrowed);
  output.view.setUint32(at + 4, lowDifference + borrowed * two32);
  return true;
}
