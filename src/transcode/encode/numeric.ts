/**
 * Writes numbers as fields of Postgres's type numeric, digit by digit. Its binary form is described only in its source:
 * https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/numeric.c (numeric_recv)
 */

import type { BsonBytes } from '../../bson/cursor.ts';
import { Decimal } from '../../bson/decimal128.ts';
import { countPlaces } from '../../bson/digits.ts';
import { beginField } from '../field.ts';
import type { Output } from '../../bson/output.ts';
import { Uint128 } from '../../bson/uint128.ts';

/** Special values of the sign field. */
export const numericSigns = {
  positive: 0x0000,
  negative: 0x4000,
  nan: 0xc000,
  infinity: 0xd000,
  minusInfinity: 0xf000,
};

/** A digit of a numeric has the base 10,000: four decimal digits, aligned at the decimal point. */
const numericBase = 10_000;
const powersOfTen = [1, 10, 100, 1000] as const;

/** 34 decimal digits, shifted by up to three places. */
const maxDigits = 10;

/** The digits of the number being written; they end where the buffer does. */
const digits = new DataView(new ArrayBuffer(maxDigits * 2));

const decimal = new Decimal();
const magnitude = new Uint128();

/** Every Decimal128 except -0 is a numeric: Postgres allows more than its 34 digits and 6176 decimal places. */
export function encodeDecimal({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  decimal.read(view, start);
  if (decimal.kind !== 'finite') {
    const infinity = decimal.isNegative ? numericSigns.minusInfinity : numericSigns.infinity;
    return writeSpecial(decimal.kind === 'nan' ? numericSigns.nan : infinity, output);
  }
  if (decimal.isNegativeZero()) return false;
  return writeNumeric(decimal.significand, decimal.exponent, decimal.isNegative, output);
}

export function encodeInt32AsNumeric(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const value = view.getInt32(start, true);
  magnitude.setNumber(Math.abs(value));
  return writeNumeric(magnitude, 0, value < 0, output);
}

export function encodeInt64AsNumeric(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const high = view.getInt32(start + 4, true);
  const low = view.getUint32(start, true);
  if (high >= 0) magnitude.set(0, 0, high, low);
  else magnitude.set(0, 0, low === 0 ? -high : ~high, -low);
  return writeNumeric(magnitude, 0, high < 0, output);
}

/** Below it, whole numbers are written with all their digits: there an int64 may be equal to them. */
const endOfWhole = 2 ** 64;

/** A whole number exactly, as far as an int64 reaches; any other by the fewest digits that read back as the same double. */
export function encodeDoubleAsNumeric(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const value = view.getFloat64(start, true);
  if (Number.isNaN(value)) return writeSpecial(numericSigns.nan, output);
  if (value === Infinity) return writeSpecial(numericSigns.infinity, output);
  if (value === -Infinity) return writeSpecial(numericSigns.minusInfinity, output);
  if (Object.is(value, -0)) return false;
  const absolute = Math.abs(value);
  if (Number.isInteger(value) && absolute < endOfWhole) {
    magnitude.setNumber(absolute);
    return writeNumeric(magnitude, 0, value < 0, output);
  }
  const places = countPlaces(absolute);
  if (places > 0) {
    magnitude.setNumber(Math.round(absolute * 10 ** places));
    return writeNumeric(magnitude, -places, value < 0, output);
  }
  const exponent = readDigits(absolute.toString());
  return writeNumeric(magnitude, exponent, value < 0, output);
}

/** Reads the digits of numbers such as `1.5e-7` into `magnitude`, and returns the exponent that goes with them. */
function readDigits(text: string): number {
  magnitude.setNumber(0);
  const mark = text.indexOf('e');
  const end = mark < 0 ? text.length : mark;
  let places = 0;
  for (let i = 0; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit >= 0) magnitude.multiplyAdd(10, digit);
    else places = end - i - 1;
  }
  return (mark < 0 ? 0 : Number(text.slice(mark + 1))) - places;
}

/** Only what `encodeDoubleAsNumeric` writes exactly. */
export function encodeWholeDoubleAsNumeric(
  source: BsonBytes,
  start: number,
  end: number,
  output: Output,
): boolean {
  const value = source.view.getFloat64(start, true);
  const isExact = !Number.isFinite(value) || (Number.isInteger(value) && Math.abs(value) < endOfWhole);
  return isExact && encodeDoubleAsNumeric(source, start, end, output);
}

/** Writes `significand` × 10^`exponent`; the significand is overwritten. */
function writeNumeric(significand: Uint128, exponent: number, isNegative: boolean, output: Output): boolean {
  const shift = exponent & 3;
  if (shift !== 0) significand.multiplyAdd(powersOfTen[shift] ?? 1, 0);
  let count = 0;
  for (; !significand.isZero(); count++) {
    digits.setUint16((maxDigits - 1 - count) * 2, significand.divide(numericBase));
  }
  const at = beginField(output, 8 + count * 2);
  const { view } = output;
  view.setInt16(at, count);
  // The place of the first digit, in powers of the base.
  view.setInt16(at + 2, count === 0 ? 0 : count - 1 + (exponent - shift) / 4);
  view.setUint16(at + 4, isNegative ? numericSigns.negative : numericSigns.positive);
  // The number of decimal places that are shown: those of the original number.
  view.setUint16(at + 6, Math.max(-exponent, 0));
  for (let i = 0; i < count; i++) {
    view.setUint16(at + 8 + i * 2, digits.getUint16((maxDigits - count + i) * 2));
  }
  return true;
}

function writeSpecial(sign: number, output: Output): boolean {
  const at = beginField(output, 8);
  output.view.setInt32(at, 0);
  output.view.setUint16(at + 4, sign);
  output.view.setUint16(at + 6, 0);
  return true;
}

/** Whether the numeric that begins at `at` is one of the infinities. */
export function readInfinity(view: DataView, at: number): boolean {
  const sign = view.getUint16(at + 4);
  return sign === numericSigns.infinity || sign === numericSigns.minusInfinity;
}

/**
 * The numeric that begins at `at`, in units of the last of `scale` decimal places, beyond which it has none; null if it
 * is not finite.
 */
export function readUnits(view: DataView, at: number, scale: number): bigint | null {
  const count = view.getInt16(at);
  const sign = view.getUint16(at + 4);
  if (sign !== numericSigns.positive && sign !== numericSigns.negative) return null;
  let units = 0n;
  for (let i = 0; i < count; i++) units = units * 10_000n + BigInt(view.getUint16(at + 8 + i * 2));
  const places = (view.getInt16(at + 2) - count + 1) * 4 + scale;
  units = places >= 0 ? units * 10n ** BigInt(places) : units / 10n ** BigInt(-places);
  return sign === numericSigns.negative ? -units : units;
}
