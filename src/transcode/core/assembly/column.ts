/** Writes values as fields of a COPY row: an int32 length and the bytes, as the column's type has them. */

import * as bson from './bson';
import * as codes from '../codes';
import { misfit, refused } from './outcome';
import { copyBytes, writeHex, writeInt32, writeInt64 } from './bytes';
import * as decimal from './decimal';
import * as double from './double';
import { writeJson } from './json';
import { Column } from './names';
import { writeText } from './text';

/** The length that marks NULL. */
export const copyNull: u32 = -1;

/** The version of jsonb's binary form. */
const jsonbVersion: u8 = 1;

/** An entry in a B-tree has 2,704 bytes at most, and jsonb can be four times as long as its text. */
const maxSureKeyBytes: usize = 640;

/** Writes the value that the column was set to; null is for the caller, except as `_id`. */
export function writeColumn(out: usize, column: Column): usize {
  if (!column.isId) return writeField(out, column);
  // An order of keys has a form of its own in an `_id`, which is rare.
  if (column.kind === codes.kindJson && column.type === bson.typeObject) return refused;
  if (column.kind === codes.kindJson && column.type === bson.typeArray) return refused;
  const end = writeField(out, column);
  return end === misfit || end - out > maxSureKeyBytes ? refused : end;
}

function writeField(out: usize, column: Column): usize {
  const type = column.type;
  const start = column.start;
  switch (column.kind) {
    case codes.kindObjectId:
      if (type !== bson.typeObjectId) return misfit;
      return writeHex(writeInt32(out, 24), start, 12);
    case codes.kindObjectIdBytes:
      return type === bson.typeObjectId ? writeBytes(out, start, start + 12) : misfit;
    case codes.kindString:
      return type === bson.typeString ? writeString(out, start, column.end) : misfit;
    case codes.kindSymbol:
      return type === bson.typeSymbol ? writeString(out, start, column.end) : misfit;
    case codes.kindInt32:
      return writeAsInt32(out, type, start);
    case codes.kindInt64:
      return writeAsInt64(out, type, start);
    case codes.kindDouble:
      return writeAsDouble(out, type, start);
    case codes.kindDecimal:
      return writeAsNumeric(out, type, start, column.isId);
    case codes.kindBoolean:
      if (type !== bson.typeBool) return misfit;
      store<u8>(writeInt32(out, 1), load<u8>(start));
      return out + 5;
    case codes.kindDate:
      return type === bson.typeDate ? writeTimestamp(out, load<i64>(start)) : misfit;
    case codes.kindUuid:
      if (type !== bson.typeBinary || column.end - start !== 5 + 16) return misfit;
      return load<u8>(start + 4) === bson.subtypeUuid ? writeBytes(out, start + 5, column.end) : misfit;
    case codes.kindBinary:
      if (type !== bson.typeBinary || load<u8>(start + 4) !== column.subtype) return misfit;
      return writeBytes(out, bson.contentOfBinary(start), column.end);
    case codes.kindJson:
      return writeJsonb(out, type, start, column.end, column.style, column.maxJsonBytes);
    default:
      return refused;
  }
}

function writeBytes(out: usize, start: usize, end: usize): usize {
  const length = end - start;
  return copyBytes(writeInt32(out, length as u32), start, length);
}

function writeString(out: usize, start: usize, end: usize): usize {
  // What is written has the length of what is read: anything else is refused.
  return writeText(writeInt32(out, ((end - start) as u32) - 5), start + 4, end - 1);
}

export function writeJsonb(
  out: usize,
  type: u32,
  start: usize,
  end: usize,
  style: i32,
  maxJsonBytes: i32,
): usize {
  store<u8>(out, jsonbVersion, 4);
  return endJsonb(out, writeJson(out + 5, type, start, end, style, 0), maxJsonBytes);
}

/** Begins a jsonb field, the text of which the caller writes and `endJsonb` ends. */
export function beginJsonb(out: usize): usize {
  store<u8>(out, jsonbVersion, 4);
  return out + 5;
}

export function endJsonb(out: usize, end: usize, maxJsonBytes: i32): usize {
  if (end === refused) return refused;
  const length = ((end - out) as i32) - 4;
  if (length > maxJsonBytes) return refused;
  writeInt32(out, length);
  return end;
}

/** The double as an int64 that is equal to it; `notWhole` if there is none. */
function wholeOf(value: f64): i64 {
  const isWhole = nearest(value) === value && !double.isMinusZero(value);
  // The comparisons are false for NaN.
  return isWhole && value >= -double.endOfInt64 && value < double.endOfInt64 ? (value as i64) : notWhole;
}

/** No double but -2^63 + 1 would be this, and that is none. */
const notWhole: i64 = i64.MIN_VALUE + 1;

function writeAsInt32(out: usize, type: u32, start: usize): usize {
  if (type === bson.typeInt) return writeInt32(writeInt32(out, 4), load<u32>(start));
  let value: i64;
  if (type === bson.typeLong) value = load<i64>(start);
  else if (type === bson.typeDouble) value = wholeOf(load<f64>(start));
  else return misfit;
  return value === (value as i32 as i64) ? writeInt32(writeInt32(out, 4), value as u32) : misfit;
}

function writeAsInt64(out: usize, type: u32, start: usize): usize {
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

function writeAsDouble(out: usize, type: u32, start: usize): usize {
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

function writeAsNumeric(out: usize, type: u32, start: usize, isId: bool): usize {
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

/** Where PostgreSQL counts its microseconds from. */
const postgresEpochMs: i64 = 946_684_800_000;
/** MIN_TIMESTAMP and END_TIMESTAMP of src/include/datatype/timestamp.h: -4713-11-24 up to before 294277-01-01. */
const firstDateMs: i64 = -211_813_488_000_000 + postgresEpochMs;
const endDateMs: i64 = 9_223_371_331_200_000 + postgresEpochMs;

function writeTimestamp(out: usize, epochMs: i64): usize {
  if (epochMs < firstDateMs || epochMs >= endDateMs) return misfit;
  return writeInt64(writeInt32(out, 8), (epochMs - postgresEpochMs) * 1000);
}
