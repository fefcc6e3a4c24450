/** Writes dates as fields of the types of times. */

import { writeInt32, writeInt64 } from './bytes';
import { misfit } from './outcome';

/** Where PostgreSQL counts its microseconds from. */
const postgresEpochMs: i64 = 946_684_800_000;
/** MIN_TIMESTAMP and END_TIMESTAMP of src/include/datatype/timestamp.h: -4713-11-24 up to before 294277-01-01. */
const firstDateMs: i64 = -211_813_488_000_000 + postgresEpochMs;
const endDateMs: i64 = 9_223_371_331_200_000 + postgresEpochMs;

/** @param unitMs that of the column; what is finer does not fit */
export function writeTimestamp(out: usize, epochMs: i64, unitMs: i64): usize {
  if (epochMs % unitMs !== 0) return misfit;
  if (epochMs < firstDateMs || epochMs >= endDateMs) return misfit;
  return writeInt64(writeInt32(out, 8), (epochMs - postgresEpochMs) * 1000);
}

const msPerDay: i64 = 86_400_000;
/** From 4713-01-01 BC (Julian) to 5874897-12-31: see IS_VALID_DATE in src/include/datatype/timestamp.h. */
const firstDay: i64 = -2_451_545;
const endDay: i64 = 2_147_483_494 - 2_451_545;

/** A date is a day if it is midnight in UTC. */
export function writeDay(out: usize, epochMs: i64): usize {
  if (epochMs % msPerDay !== 0) return misfit;
  const day = (epochMs - postgresEpochMs) / msPerDay;
  return day < firstDay || day >= endDay ? misfit : writeInt32(writeInt32(out, 4), day as u32);
}
