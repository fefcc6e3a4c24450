/** Writes numbers and dates as ASCII digits without creating strings. */

import type { Output } from './output.ts';

export const two32 = 2 ** 32;

/** The int64 at `start` as a number, which is exact only if it is a safe integer. */
export function readInt64(view: DataView, start: number): number {
  return view.getInt32(start + 4, true) * two32 + view.getUint32(start, true);
}

/** Writes the int64 at `start` with all its digits. */
export function writeInt64(view: DataView, start: number, output: Output): void {
  const value = readInt64(view, start);
  if (Number.isSafeInteger(value)) {
    writeInteger(value, output);
  } else {
    output.writeAscii(view.getBigInt64(start, true).toString());
  }
}

const nineDigits = 1e9;

/** Writes a safe integer. */
export function writeInteger(value: number, output: Output): void {
  if (value < 0) {
    output.writeByte(0x2d);
    value = -value;
  }
  if (value < two32) {
    writePadded(value, countDigits(value), output);
  } else {
    // A longer number is written in two parts, because uint32 arithmetic is much faster.
    const high = Math.floor(value / nineDigits);
    writePadded(high, countDigits(high), output);
    writePadded(value - high * nineDigits, 9, output);
  }
}

/**
 * Enough for prices and coordinates. Numbers with more decimal places are converted by `toString`.
 */
const maxPlaces = 6;

/**
 * Two decimals of up to 15 digits are always different doubles, so a decimal that rounds to a double is its shortest text.
 * Numbers below this limit have at most 15 digits, including all decimal places.
 */
const maxShortNumber = 10 ** (15 - maxPlaces);

/**
 * Writes a finite double other than -0 like `toString`, but faster if it has few decimal places.
 */
export function writeNumber(value: number, output: Output): void {
  if (Number.isSafeInteger(value)) {
    writeInteger(value, output);
    return;
  }
  const magnitude = Math.abs(value);
  const places = countPlaces(magnitude);
  if (places === 0) {
    output.writeAscii(value.toString());
    return;
  }
  const scale = powersOfTen[places] ?? 1;
  const scaled = Math.round(magnitude * scale);
  const whole = Math.floor(scaled / scale);
  if (value < 0) output.writeByte(0x2d);
  writePadded(whole, countDigits(whole), output);
  output.writeByte(0x2e);
  writePadded(scaled - whole * scale, places, output);
}

const powersOfTen = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000] as const;

/**
 * The number of decimal places in the shortest text of a positive non-integer; 0 if they are more than `maxPlaces`, or the
 * number is large. The digits are then `Math.round(magnitude * 10 ** places)`.
 */
export function countPlaces(magnitude: number): number {
  if (magnitude >= maxShortNumber) return 0;
  let scale = 10;
  for (let places = 1; places <= maxPlaces; places++, scale *= 10) {
    // Both operands are exact integers, so the division rounds once, like parsing the text would.
    if (Math.round(magnitude * scale) / scale === magnitude) return places;
  }
  return 0;
}

/** Writes a uint32 with leading zeros. */
export function writePadded(value: number, width: number, output: Output): void {
  output.reserve(width);
  const { bytes, position } = output;
  for (let i = position + width - 1; i >= position; i--) {
    const tenth = (value / 10) >>> 0;
    bytes[i] = 0x30 + value - tenth * 10;
    value = tenth;
  }
  output.position = position + width;
}

function countDigits(value: number): number {
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) digits++;
  return digits;
}

const msPerDay = 86_400_000;
const daysPer400Years = 146_097;
/** Days from 0000-03-01 to 1970-01-01. Counting years from March makes the leap day the last day of its year. */
const daysTo1970 = 719_468;

/**
 * Writes a date of the years 0 to 9999 like js-bson: `2024-02-29T12:00:00Z`, with milliseconds if they are not zero.
 */
export function writeIsoDate(epochMs: number, output: Output): void {
  const days = Math.floor(epochMs / msPerDay);
  const ms = epochMs - days * msPerDay;
  writeDay(days, output);
  output.writeByte(0x54);
  writeSeconds(Math.floor(ms / 1000), output);
  if (ms % 1000 !== 0) {
    output.writeByte(0x2e);
    writePadded(ms % 1000, 3, output);
  }
  output.writeByte(0x5a);
}

/** Writes `2024-02-29`, for the years 0 to 9999. @param days since 1970-01-01 */
export function writeDay(days: number, output: Output): void {
  // http://howardhinnant.github.io/date_algorithms.html#civil_from_days
  const shifted = days + daysTo1970;
  const era = Math.floor(shifted / daysPer400Years);
  const dayOfEra = shifted - era * daysPer400Years;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);

  writePadded(year, 4, output);
  output.writeByte(0x2d);
  writePadded(month, 2, output);
  output.writeByte(0x2d);
  writePadded(day, 2, output);
}

/** Writes `23:59:59`. @param seconds since midnight */
export function writeSeconds(seconds: number, output: Output): void {
  writePadded(Math.floor(seconds / 3600), 2, output);
  output.writeByte(0x3a);
  writePadded(Math.floor(seconds / 60) % 60, 2, output);
  output.writeByte(0x3a);
  writePadded(seconds % 60, 2, output);
}
