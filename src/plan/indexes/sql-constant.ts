/** Writes BSON values as SQL constants, in the type of the column to compare with. */

import { Binary, BSONSymbol, Decimal128, Double, Int32, Long, ObjectId } from 'bson';
import pg from 'pg';
import type { PlanColumn } from '../../transcode/plan.ts';
import type { ColumnType } from '../../transcode/column-types/names.ts';
import { columnTypes } from '../../transcode/column-types/registry.ts';

/** @returns null if the column cannot have exactly this value */
export function writeConstant(value: unknown, column: PlanColumn): string | null {
  if (column.type === 'json') return null;
  const text = writers[column.type](value, column);
  return text === null ? null : `${pg.escapeLiteral(text)}::${columnTypes[column.type].sql}`;
}

type Writer = (value: unknown, column: PlanColumn) => string | null;

/** By column type; values in jsonb are not compared. */
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

/** For MongoDB, a symbol equals the same string. */
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
  // A text with an exponent is too large for both types, or a fraction.
  if (text === null || !/^-?\d+$/.test(text)) return null;
  const whole = BigInt(text);
  return BigInt.asIntN(bits, whole) === whole ? String(whole) : null;
}

/** Null for a long or a decimal that a double cannot represent exactly. */
function writeDouble(value: unknown): string | null {
  const text = writeNumber(value);
  const isDouble = value instanceof Int32 || value instanceof Double || typeof value === 'number';
  const isSame = text !== null && /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text));
  return isDouble || isSame ? text : null;
}

/** Only the years 1 to 9999, because Postgres writes others differently from ISO 8601. */
function writeDate(value: unknown): string | null {
  // Other BSON dates do not fit a Date.
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return null;
  const text = value.toISOString();
  return /^(?!0000)\d{4}-/.test(text) ? text : null;
}

function hexOf(value: Binary): string {
  return Buffer.from(value.value()).toString('hex');
}
