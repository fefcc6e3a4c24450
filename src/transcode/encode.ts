/**
 * The table of column types: which BSON types each takes, and how their values become fields of a binary COPY
 * row: https://www.postgresql.org/docs/current/sql-copy.html (Binary Format).
 */

import type { ColumnType } from '../plan/plan.ts';
import { bsonTypes, type BsonTypeName } from './bson-types.ts';
import type { BsonBytes } from './bson.ts';
import { readInt64, TWO_32 } from './digits.ts';
import { DocumentError } from './document-error.ts';
import { type JsonWriter, writeHex } from './json.ts';
import type { Output } from './output.ts';
import { copyText } from './utf8.ts';

/**
 * Writes the value from `start` to before `end` as a field, which is an int32 length and the bytes; or writes
 * nothing and returns false when the value is not exactly one of the column's type. Throws a DocumentError if
 * no column can hold it.
 */
export type EncodeField = (source: BsonBytes, start: number, end: number, output: Output) => boolean;

/**
 * One row for each type a column can have; `columnTypes` has its name in Postgres. `any` is for the JsonWriter,
 * which takes every type.
 */
const columnEncodings: Record<ColumnType, Partial<Record<BsonTypeName, EncodeField>> | 'any'> = {
  objectId: { objectId: encodeObjectId },
  string: { string: encodeString },
  int32: { int: encodeInt32, long: encodeInt64AsInt32, double: encodeDoubleAsInt32 },
  int64: { long: encodeEightBytes, int: encodeInt32AsInt64, double: encodeDoubleAsInt64 },
  double: { double: encodeEightBytes, int: encodeInt32AsDouble, long: encodeInt64AsDouble },
  boolean: { bool: encodeBoolean },
  date: { date: encodeDate },
  json: 'any',
};

/**
 * The encoders of a column by the type byte of a value. `json` writes the text if the column is a jsonb one.
 */
export function createFieldEncoders(type: ColumnType, json: JsonWriter, maxJsonBytes: number): EncodeField[] {
  const encoders = Array.from({ length: 256 }, (): EncodeField => refuse);
  const takes = columnEncodings[type];
  for (const name of Object.keys(bsonTypes) as BsonTypeName[]) {
    const code = bsonTypes[name];
    encoders[code] =
      takes === 'any'
        ? (source, start, end, output) => {
            const lengthAt = beginJson(output);
            json.writeValue(source, code, start, end, output);
            endJson(output, lengthAt, maxJsonBytes);
            return true;
          }
        : (takes[name] ?? refuse);
  }
  return encoders;
}

/** The only version of jsonb's binary form there is: a byte, then the JSON text. */
const JSONB_VERSION = 1;

/** Begins a jsonb field, the text of which the caller writes. Returns what `endJson` needs. */
export function beginJson(output: Output): number {
  const lengthAt = output.position;
  output.writeInt32(0);
  output.writeByte(JSONB_VERSION);
  return lengthAt;
}

/** Ends a jsonb field. Throws a DocumentError if it is longer than `maxJsonBytes`. */
export function endJson(output: Output, lengthAt: number, maxJsonBytes: number): void {
  const length = output.position - lengthAt - 4;
  if (length > maxJsonBytes) throw new DocumentError('too_large', `${length} bytes of jsonb`);
  output.view.setInt32(lengthAt, length);
}

function refuse(): boolean {
  return false;
}

/** Reserves and begins a field of a known length. Returns where its bytes go. */
function beginField(output: Output, length: number): number {
  output.reserve(4 + length);
  const at = output.position;
  output.view.setInt32(at, length);
  output.position = at + 4 + length;
  return at + 4;
}

function encodeObjectId(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  output.writeInt32(24);
  writeHex(source.view, start, output);
  return true;
}

function encodeString(source: BsonBytes, start: number, end: number, output: Output): boolean {
  output.writeInt32(end - start - 5);
  copyText(source, start + 4, end - 1, output);
  return true;
}

function encodeInt32(source: BsonBytes, start: number, _end: number, output: Output): boolean {
  const at = beginField(output, 4);
  output.view.setInt32(at, source.view.getInt32(start, true));
  return true;
}

function encodeInt64AsInt32({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const low = view.getInt32(start, true);
  if (view.getInt32(start + 4, true) !== low >> 31) return false;
  const at = beginField(output, 4);
  output.view.setInt32(at, low);
  return true;
}

function encodeDoubleAsInt32({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const value = view.getFloat64(start, true);
  if (!Object.is(value, value | 0)) return false;
  const at = beginField(output, 4);
  output.view.setInt32(at, value);
  return true;
}

/** Turns the byte order, which is all that a bigint or a double needs; no bit of a NaN changes. */
function encodeEightBytes({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const at = beginField(output, 8);
  output.view.setInt32(at, view.getInt32(start + 4, true));
  output.view.setInt32(at + 4, view.getInt32(start, true));
  return true;
}

function encodeInt32AsInt64({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const value = view.getInt32(start, true);
  const at = beginField(output, 8);
  output.view.setInt32(at, value >> 31);
  output.view.setInt32(at + 4, value);
  return true;
}

function encodeDoubleAsInt64({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const value = view.getFloat64(start, true);
  if (!Number.isInteger(value) || Object.is(value, -0) || value < -(2 ** 63) || value >= 2 ** 63)
    return false;
  // Both halves are exact: a division by a power of two only changes the exponent.
  const high = Math.floor(value / TWO_32);
  const at = beginField(output, 8);
  output.view.setInt32(at, high);
  output.view.setUint32(at + 4, value - high * TWO_32);
  return true;
}

function encodeInt32AsDouble({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const value = view.getInt32(start, true);
  const at = beginField(output, 8);
  output.view.setFloat64(at, value);
  return true;
}

function encodeInt64AsDouble({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const value = readInt64(view, start);
  // The sum in readInt64 was rounded at most once; it was exact if the halves come back.
  const high = Math.floor(value / TWO_32);
  if (high !== view.getInt32(start + 4, true) || value - high * TWO_32 !== view.getUint32(start, true))
    return false;
  const at = beginField(output, 8);
  output.view.setFloat64(at, value);
  return true;
}

function encodeBoolean({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const at = beginField(output, 1);
  output.view.setUint8(at, view.getUint8(start));
  return true;
}

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
function encodeDate({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const high = view.getInt32(start + 4, true);
  const low = view.getUint32(start, true);
  if (high < firstDateMs.high || (high === firstDateMs.high && low < firstDateMs.low)) return false;
  if (high > endDateMs.high || (high === endDateMs.high && low >= endDateMs.low)) return false;
  const lowMicros = low * 1000;
  const carried = Math.floor(lowMicros / TWO_32);
  const lowDifference = lowMicros - carried * TWO_32 - postgresEpochMicros.low;
  const borrowed = lowDifference < 0 ? 1 : 0;
  const at = beginField(output, 8);
  output.view.setInt32(at, high * 1000 + carried - postgresEpochMicros.high - borrowed);
  output.view.setUint32(at + 4, lowDifference + borrowed * TWO_32);
  return true;
}
