/** Encodes values as date, time and timestamp, if they can be represented exactly. */

import type { BsonBytes } from '../../bson/cursor.ts';
import { encodeDate } from './encode-date.ts';
import { beginField, type EncodeField } from '../field.ts';
import type { Output } from '../../bson/output.ts';

const msPerDay = 86_400_000n;
/** Postgres counts days from 2000-01-01. */
const epochDays = BigInt(Date.UTC(2000, 0, 1)) / msPerDay;
/** From 4713-01-01 BC (Julian) to 5874897-12-31: see IS_VALID_DATE in src/include/datatype/timestamp.h. */
const firstDay = -2_451_545n;
const endDay = 2_147_483_494n - 2_451_545n;

/** A Date is a day if it is midnight in UTC. */
export function encodeDay({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const ms = view.getBigInt64(start, true);
  if (ms % msPerDay !== 0n) return false;
  const days = ms / msPerDay - epochDays;
  if (days < firstDay || days >= endDay) return false;
  const at = beginField(output, 4);
  output.view.setInt32(at, Number(days));
  return true;
}

/** A Date has milliseconds. */
const datePlaces = 3;

/** The wall clock of a `timestamp` is that of UTC, so that both kinds of timestamp have the same bytes. */
export function createSecondsEncoder(secondPlaces = datePlaces): EncodeField {
  if (secondPlaces >= datePlaces) return encodeDate;
  const unitMs = 10n ** BigInt(datePlaces - secondPlaces);
  return (source, start, end, output) =>
    source.view.getBigInt64(start, true) % unitMs === 0n && encodeDate(source, start, end, output);
}

const timePattern = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?$/;
const longestTime = '23:59:59.123456'.length;

/** A time of day, for which BSON has no type: a string such as `23:59` or `23:59:59.123`. */
export function encodeTime(secondPlaces: number): EncodeField {
  return ({ bytes }, start, end, output) => {
    if (end - start - 5 > longestTime) return false;
    const match = timePattern.exec(bytes.toString('latin1', start + 4, end - 1));
    if (match === null) return false;
    const [, hours, minutes, seconds = '0', fraction = ''] = match;
    if (/[1-9]/.test(fraction.slice(secondPlaces))) return false;
    const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
    const at = beginField(output, 8);
    output.view.setBigInt64(at, BigInt(whole * 1_000_000 + Number(fraction.padEnd(6, '0'))));
    return true;
  };
}
