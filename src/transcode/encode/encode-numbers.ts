/** Encodes values as integers and floating-point numbers of Postgres, if they can be represented exactly. */

import type { BsonBytes } from '../../bson/cursor.ts';
import { readInt64, two32 } from '../../bson/digits.ts';
import { beginField } from '../field.ts';
import type { Output } from '../../bson/output.ts';

export function encodeInt32(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  const at = beginField(output, 4);
  output.view.setInt32(at, source.view.getInt32(start, true));
  return true;
}

export function encodeInt64AsInt32(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const low = view.getInt32(start, true);
  if (view.getInt32(start + 4, true) !== low >> 31) return false;
  const at = beginField(output, 4);
  output.view.setInt32(at, low);
  return true;
}

export function encodeDoubleAsInt32(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const value = view.getFloat64(start, true);
  if (!Object.is(value, value | 0)) return false;
  const at = beginField(output, 4);
  output.view.setInt32(at, value);
  return true;
}

/** Swaps the byte order, which is all that a bigint or a double needs; the bits of a NaN are kept. */
export function encodeEightBytes({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const at = beginField(output, 8);
  output.view.setInt32(at, view.getInt32(start + 4, true));
  output.view.setInt32(at + 4, view.getInt32(start, true));
  return true;
}

export function encodeInt32AsInt64(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const value = view.getInt32(start, true);
  const at = beginField(output, 8);
  output.view.setInt32(at, value >> 31);
  output.view.setInt32(at + 4, value);
  return true;
}

export function encodeDoubleAsInt64(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const value = view.getFloat64(start, true);
  if (!Number.isInteger(value) || Object.is(value, -0) || value < -(2 ** 63) || value >= 2 ** 63) {
    return false;
  }
  // Both halves are exact: a division by a power of two only changes the exponent.
  const high = Math.floor(value / two32);
  const at = beginField(output, 8);
  output.view.setInt32(at, high);
  output.view.setUint32(at + 4, value - high * two32);
  return true;
}

export function encodeInt32AsDouble(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const value = view.getInt32(start, true);
  const at = beginField(output, 8);
  output.view.setFloat64(at, value);
  return true;
}

export function encodeInt64AsDouble(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const value = readInt64(view, start);
  // The sum in readInt64 was rounded at most once; it was exact if the halves come back.
  const high = Math.floor(value / two32);
  if (high !== view.getInt32(start + 4, true) || value - high * two32 !== view.getUint32(start, true)) {
    return false;
  }
  const at = beginField(output, 8);
  output.view.setFloat64(at, value);
  return true;
}

export function encodeInt32AsInt16(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  return writeInt16(source.view.getInt32(start, true), output);
}

export function encodeInt64AsInt16(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  return writeInt16(readInt64(source.view, start), output);
}

export function encodeDoubleAsInt16(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  return writeInt16(source.view.getFloat64(start, true), output);
}

function writeInt16(value: number, output: Output): boolean {
  // Object.is distinguishes -0 from 0.
  if (!Object.is(value, (value << 16) >> 16)) return false;
  const at = beginField(output, 2);
  output.view.setInt16(at, value);
  return true;
}

export function encodeInt32AsFloat(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  return writeFloat(source.view.getInt32(start, true), output);
}

export function encodeInt64AsFloat(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  const value = Number(source.view.getBigInt64(start, true));
  return BigInt(value) === source.view.getBigInt64(start, true) && writeFloat(value, output);
}

export function encodeDoubleAsFloat(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  return writeFloat(source.view.getFloat64(start, true), output);
}

/** A real has a significand of 24 bits; a number that needs more would be rounded. */
function writeFloat(value: number, output: Output): boolean {
  if (!Object.is(value, Math.fround(value))) return false;
  const at = beginField(output, 4);
  output.view.setFloat32(at, value);
  return true;
}
