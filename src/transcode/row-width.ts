/** How much of a page a row takes at most, which must hold all of it but the long values. */

import { valueTypeOf } from './column-types/of-column.ts';
import { valueKinds } from './column-types/registry.ts';
import { compressedWidth, type MeasureValue, opaque, unknown, type Width } from './column-types/width.ts';
import type { PlanColumn } from './plan.ts';

/** Of a page of 8 kB, without its header and the row's place in its list. */
export const maxRowWidth = 8160;

export function measureOf(column: PlanColumn): MeasureValue {
  const { target } = column;
  if (target === undefined) return valueKinds[valueTypeOf(column).kind].width;
  // `name` is the one text of a fixed length.
  if (target.maxBytes !== undefined) return unknown;
  // `character(n)` is stored with its blanks, which COPY does not have.
  const isPadded = target.maxCharacters !== undefined && !target.name.startsWith('character varying');
  return isPadded ? opaque : valueKinds[target.kind].width;
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
export const widthOfExtra = compressedWidth;

/** The widest of all rows. */
export function widestRow(columns: readonly PlanColumn[]): number {
  let offset = widthOfHeader(columns.length + 1);
  for (const column of columns) offset = addWidth(offset, measureOf(column)(Infinity));
  return addWidth(offset, widthOfExtra);
}
