/** The maximum width of a row, which must fit a page except for long values. */

import { valueTypeOf } from './column-types/of-column.ts';
import { valueKinds } from './column-types/registry.ts';
import { compressedWidth, type MeasureValue, opaque, unknown, type Width } from './column-types/width.ts';
import type { PlanColumn } from './plan.ts';

/** A page of 8 kB without its header and the line pointer of the row. */
export const maxRowWidth = 8160;

export function measureOf(column: PlanColumn): MeasureValue {
  const { target } = column;
  if (target === undefined) return valueKinds[valueTypeOf(column).kind].width;
  // `name` is the only fixed-length text type.
  if (target.maxBytes !== undefined) return unknown;
  // `character(n)` is stored padded with blanks, which COPY omits.
  const isPadded = target.maxCharacters !== undefined && !target.name.startsWith('character varying');
  return isPadded ? opaque : valueKinds[target.kind].width;
}

/** The offset after a value that begins at `offset` or the next aligned one. */
export function addWidth(offset: number, [bytes, alignment]: Width): number {
  return Math.ceil(offset / alignment) * alignment + bytes;
}

/** The offset of the first value: after the row header and the null bitmap. */
export function widthOfHeader(columnCount: number): number {
  return addWidth(23 + Math.ceil(columnCount / 8), [0, 8]);
}

/** The width of the extra column, after all others. */
export const widthOfExtra = compressedWidth;

/** The widest of all rows. */
export function widestRow(columns: readonly PlanColumn[]): number {
  let offset = widthOfHeader(columns.length + 1);
  for (const column of columns) offset = addWidth(offset, measureOf(column)(Infinity));
  return addWidth(offset, widthOfExtra);
}
