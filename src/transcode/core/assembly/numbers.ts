/** Writes numbers as fields of the numeric types, if they are exactly the same there. */

import * as bson from './bson';
import { loadInt16, writeInt16, writeInt32, writeInt64 } from './bytes';
import * as decimal from './decimal';
import * as double from './double';
import { misfit, refused } from './outcome';

/** The double as an int64 that is equal to it; `notWhole` if there is none. */
function wholeOf(value: f64): i64 {
  const isWhole = nearest(value) === value && !double.isMinusZero(value);
  // The comparisons are false for NaN.
  return isWhole && value >= -double.endOfInt64 && value < double.endOfInt64 ? (value as i64) : notWhole;
}

/** No double but -2^63 + 1 would be this, and that is none. */
const notWhole: i64 = i64.MIN_VALUE + 1;

export function writeAsInt32(out: usize, type: u32, start: usize): usize {
  if (type === bson.typeInt) return writeInt32(writeInt32(out, 4), load<u32>(start));
  let value: i64;
  if (type === bson.typeLong) value = load<i64>(start);
  else if (type === bson.typeDouble) value = wholeOf(load<f64>(start));
  else return misfit;
  return value === (value as i32 as i64) ? writeInt32(writeInt32(out, 4), value as u32) : misfit;
}

export function writeAsInt64(out: usize, type: u32, start: usize): usize {
  let value: i64;
  if (type === bson.typeLong) {
    value = load<i64>(start);
  } else if (type === bson.typeInt) {
    value = load<i32>(start);
  } else if (type === bson.typeDouble) {
    value = wholeOf(load<f64>(start));
    if (value === notWhole) return misfit;
  } else {
    return misfit;
  }
  return writeInt64(writeInt32(out, 8), value);
}

export function writeAsDouble(out: usize, type: u32, start: usize): usize {
  let bits: u64;
  if (type === bson.typeDouble) {
    bits = load<u64>(start);
  } else if (type === bson.typeInt) {
    bits = reinterpret<u64>(load<i32>(start) as f64);
  } else if (type === bson.typeLong) {
    const value = load<i64>(start);
    const rounded = value as f64;
    if (wholeOf(rounded) !== value) return misfit;
    bits = reinterpret<u64>(rounded);
  } else {
    return misfit;
  }
  return writeInt64(writeInt32(out, 8), bits);
}

export function writeAsNumeric(out: usize, type: u32, start: usize, isId: bool): usize {
  switch (type) {
    case bson.typeDecimal:
      if (!decimal.readDecimal(start)) return refused;
      return decimal.writeNumeric(out, decimal.significand, decimal.exponent, decimal.isNegative);
    case bson.typeInt:
    case bson.typeLong: {
      const value = type === bson.typeInt ? (load<i32>(start) as i64) : load<i64>(start);
      return decimal.writeNumeric(out, value < 0 ? (-value as u64) : value, 0, value < 0);
    }
    case bson.typeDouble: {
      const value = load<f64>(start);
      const whole = wholeOf(value);
      if (whole !== notWhole) {
        return decimal.writeNumeric(out, whole < 0 ? (-whole as u64) : whole, 0, whole < 0);
      }
      // What is larger, or no number, is rare; by their shortest digits, two `_id`s could be one.
      if (isId || nearest(value) === value || value !== value) return refused;
      double.findShortest(abs(value));
      return decimal.writeNumeric(out, double.shortestDigits, double.shortestExponent, value < 0);
    }
    default:
      return misfit;
  }
}

export function writeAsInt16(out: usize, type: u32, start: usize): usize {
  let value: i64;
  if (type === bson.typeInt) value = load<i32>(start);
  else if (type === bson.typeLong) value = load<i64>(start);
  else if (type === bson.typeDouble) value = wholeOf(load<f64>(start));
  else return misfit;
  return value === (value as i16 as i64) ? writeInt16(writeInt32(out, 2), value as u32) : misfit;
}

export function writeAsFloat(out: usize, type: u32, start: usize): usize {
  let value: f64;
  if (type === bson.typeDouble) {
    value = load<f64>(start);
  } else if (type === bson.typeInt) {
    value = load<i32>(start) as f64;
  } else if (type === bson.typeLong) {
    value = load<i64>(start) as f64;
    if (wholeOf(value) !== load<i64>(start)) return misfit;
  } else {
    return misfit;
  }
  // There are many of these.
  if (value !== value) return refused;
  const rounded = value as f32;
  return (rounded as f64) === value ? writeInt32(writeInt32(out, 4), reinterpret<u32>(rounded)) : misfit;
}

/** Decimal digits of a digit of a numeric. */
const places: i32 = 4;

/** Whether the numeric field at `at` needs no digit beyond those of a column `numeric(precision, scale)`. */
export function fitsNumeric(at: usize, precision: i32, scale: i32): bool {
  let last = loadInt16(at + 4) - 1;
  if (last < 0) return true;
  const weight = loadInt16(at + 6);
  const digits = at + 12;
  const highest = weight * places + countDigits(loadInt16(digits)) - 1;
  let digit = loadInt16(digits + last * 2);
  while (digit === 0 && last > 0) digit = loadInt16(digits + --last * 2);
  let lowest = (weight - last) * places;
  for (; digit % 10 === 0 && digit > 0; digit /= 10) lowest++;
  return highest < precision - scale && lowest >= -scale;
}

function countDigits(digit: i32): i32 {
  if (digit < 10) return 1;
  if (digit < 100) return 2;
  return digit < 1000 ? 3 : 4;
}

/** Money is a number of the smallest units, of which one has `scale` decimal places. @param precision all digits that may be there */
export function writeAsMoney(out: usize, type: u32, start: usize, precision: i32, scale: i32): usize {
  const end = writeAsNumeric(out, type, start, false);
  if (end === refused || end === misfit) return end;
  if (!fitsNumeric(out, precision, scale)) return misfit;
  const units = unitsOf(out, scale);
  const isBelowZero = loadInt16(out + 8) !== 0;
  if (units > (i64.MAX_VALUE as u64) + (isBelowZero ? 1 : 0)) return misfit;
  return writeInt64(writeInt32(out, 8), isBelowZero ? -units : units);
}

/** The numeric field at `at` without its sign, in units of `scale` decimal places, beyond which it has none. */
function unitsOf(at: usize, scale: i32): u64 {
  const count = loadInt16(at + 4);
  let power = loadInt16(at + 6) * places + scale;
  let units: u64 = 0;
  for (let index = 0; index < count; index++, power -= places) {
    const digit = loadInt16(at + 12 + index * 2) as u64;
    if (power >= 0) units += digit * powerOfTen(power);
    // What is below the last place is zero.
    else if (power > -places) units += digit / powerOfTen(-power);
  }
  return units;
}

function powerOfTen(exponent: i32): u64 {
  let power: u64 = 1;
  for (let i = 0; i < exponent; i++) power *= 10;
  return power;
}
