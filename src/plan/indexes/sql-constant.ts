/** Writes BSON values as constants in SQL, of the type of the column that they are compared with. */

import { Binary, BSONSymbol, Decimal128, Double, Int32, Long, ObjectId } from 'bson';
import pg from 'pg';
import type { PlanColumn } from '../../transcode/plan.ts';
import { columnTypes, type ColumnType } from '../../transcode/column-types.ts';

/** @returns null when the value is not exactly one of the column's type */
export function writeConstant(value: unknown, column: PlanColumn): string | null {
  if (column.type === 'json') return null;
  const text = writers[column.type](value, column);
  return text === null ? null : `${pg.escapeLiteral(text)}::${columnTypes[column.type]}`;
}

type Writer = (value: unknown, column: PlanColumn) => string | null;

/** By column type; there is no comparing with jsonb. */
const writers: Readonly<Record<Exclude<ColumnType, 'json'>, Writer>> = {
  objectId: (value) => (value instanceof ObjectId ? value.toHexString() : null),
  objectIdBytes: (value) => (value instanceof ObjectId ? `\\x${value.toHexString()}` : null),
  string: writeString,
  symbol: writeString,
  int32: (value) => writeWhole(value, 32),
  int64: (value) => writeWhole(value, 64),
  double: writeDouble,
  decimal: writeNumber,
  boolean: (value) => (typeof value === 'boolean' ? String(value) : null),
  date: writeDate,
  uuid: (value) => (value instanceof Binary && value.sub_type === 4 ? hexOf(value) : null),
  binary: (value, { subtype = 0 }) =>
    value instanceof Binary && value.sub_type === subtype ? `\\x${hexOf(value)}` : null,
};

/** MongoDB takes a symbol and a string for equal. */
function writeString(value: unknown): string | null {
  const text = value instanceof BSONSymbol ? value.valueOf() : value;
  return typeof text === 'string' && !text.includes('\0') ? text : null;
}

function writeNumber(value: unknown): string | null {
  const isNumber =
    value instanceof Int32 ||
    value instanceof Double ||
    value instanceof Long ||
    value instanceof Decimal128 ||
    typeof value === 'number';
  return isNumber ? String(value) : null;
}

function writeWhole(value: unknown, bits: number): string | null {
  const text = writeNumber(value);
  // As an exponent it is beyond both types, or a fraction.
  if (text === null || !/^-?\d+$/.test(text)) return null;
  const whole = BigInt(text);
  return BigInt.asIntN(bits, whole) === whole ? String(whole) : null;
}

/** A long or a decimal that a double cannot have would be another number. */
function writeDouble(value: unknown): string | null {
  const text = writeNumber(value);
  const isDouble = value instanceof Int32 || value instanceof Double || typeof value === 'number';
  const isSame = text !== null && /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text));
  return isDouble || isSame ? text : null;
}

/** Of the years 1 to 9999: Postgres has other words for others than ISO 8601. */
function writeDate(value: unknown): string | null {
  // Of the rest of BSON's dates a Date holds none.
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return null;
  const text = value.toISOString();
  return /^(?!0000)\d{4}-/.test(text) ? text : null;
}

function hexOf(value: Binary): string {
  return Buffer.from(value.value()).toString('hex');
}
