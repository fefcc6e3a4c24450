/**
 * How much of a page a row takes at most, which must hold all of it but the long values. The forms in which a value is
 * stored: https://www.postgresql.org/docs/current/storage-page-layout.html and storage-toast.html
 */

import type { ValueKind } from './column-target.ts';
import type { PlanColumn } from './plan.ts';
import type { ColumnType } from './column-types.ts';

/** Of a page of 8 kB, without its header and the row's place in its list. */
export const maxRowWidth = 8160;

/** Bytes, and what the offset of their first must be a multiple of. */
export type Width = readonly [bytes: number, alignment: number];

/** The most that a value takes inside of its row. @param copyBytes how long it is in a binary COPY */
export type MeasureValue = (copyBytes: number) => Width;

/** A value of up to so many bytes stays where it is; Postgres compresses none below `minCompressedBytes`. */
const maxShortBytes = 20;
const minCompressedBytes = 32;

/** Of a value that was moved out of its row. */
const pointer: Width = [18, 1];

/** A value that compression has made this small is not moved out any more. */
const compressed: Width = [24, 4];

const shortWidths = Array.from({ length: maxShortBytes + 1 }, (_, bytes): Width => [bytes + 1, 1]);

function fixed(bytes: number, alignment = bytes): MeasureValue {
  const width = [bytes, alignment] as const;
  return () => width;
}

/** @param surplus how many bytes more a value has in COPY than in its row, at least */
function variable(surplus = 0): MeasureValue {
  return (copyBytes) => {
    const bytes = copyBytes - surplus;
    return shortWidths[bytes] ?? (bytes < minCompressedBytes ? pointer : compressed);
  };
}

/** Where COPY's bytes say nothing of the stored ones. */
const opaque: MeasureValue = () => compressed;

/** Of the types that Postgres has, the longest of a fixed length. */
const unknown = fixed(64, 8);

/** COPY has eight bytes before the digits, a row four at most. */
const numeric = variable(4);

const byType: Readonly<Record<ColumnType, MeasureValue>> = {
  objectId: variable(),
  objectIdBytes: variable(),
  string: variable(),
  symbol: variable(),
  int32: fixed(4),
  int64: fixed(8),
  double: fixed(8),
  decimal: numeric,
  boolean: fixed(1),
  date: fixed(8),
  uuid: fixed(16, 1),
  binary: variable(),
  json: opaque,
};

const byKind: Readonly<Record<ValueKind, MeasureValue>> = {
  int2: fixed(2),
  int4: fixed(4),
  int8: fixed(8),
  float4: fixed(4),
  float8: fixed(8),
  numeric,
  money: fixed(8),
  bool: fixed(1),
  text: variable(),
  enum: fixed(4),
  uuid: fixed(16, 1),
  bytea: variable(),
  date: fixed(4),
  timestamp: fixed(8),
  time: fixed(8),
  json: variable(),
  jsonb: opaque,
  array: opaque,
  form: unknown,
};

export function measureOf({ type, target }: PlanColumn): MeasureValue {
  if (target === undefined) return byType[type];
  // `name` is the one text of a fixed length.
  if (target.maxBytes !== undefined) return unknown;
  // `character(n)` is stored with its blanks, which COPY does not have.
  const isPadded = target.maxCharacters !== undefined && !target.name.startsWith('character varying');
  return isPadded ? opaque : byKind[target.kind];
}

/** The offset after a value that follows on what ends at `offset`. */
export function addWidth(offset: number, [bytes, alignment]: Width): number {
  return Math.ceil(offset / alignment) * alignment + bytes;
}

/** Where the values of a row begin: after its header and a bit for each column. */
export function widthOfHeader(columnCount: number): number {
  return addWidth(23 + Math.ceil(columnCount / 8), [0, 8]);
}

/** What the extra column takes, after all others. */
export const widthOfExtra = compressed;

/** The widest of all rows. */
export function widestRow(columns: readonly PlanColumn[]): number {
  let offset = widthOfHeader(columns.length + 1);
  for (const column of columns) offset = addWidth(offset, measureOf(column)(Infinity));
  return addWidth(offset, widthOfExtra);
}
