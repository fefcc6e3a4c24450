/** How much disk the rows of a plan are going to need, by the encoded rows of a sample. */

import { isIdColumn, type Plan } from '../plan/plan.ts';
import type { EncodedBatch } from '../transcode/row.ts';
import { rowLengths } from '../transcode/copy-rows.ts';

/** https://www.postgresql.org/docs/current/storage-page-layout.html */
const rowHeaderBytes = 23;
const linePointerBytes = 4;
const alignment = 8;
const indexEntryHeaderBytes = 8;
/** Of a page without its header, and of a B-tree's leaf as CREATE INDEX leaves it (its fillfactor is 90). */
const pageFill = (8192 - 24) / 8192;
const leafFill = 0.9;

/**
 * Of the rows and their primary key; the collection's other indexes are not in it. What Postgres compresses of long values
 * (those over 2 kB) is not taken off, so that of such documents it says too much; of jsonb, which is larger than its text,
 * too little.
 * @param encoded a sample by this plan
 * @returns bytes for all of the sample
 */
export function estimateBytes(
  plan: Plan,
  { copy, children }: Pick<EncodedBatch, 'copy' | 'children'>,
): number {
  const keys = plan.columns.flatMap((column, index) => (isIdColumn(column) ? [index] : []));
  // The key of a child table is of its first two columns.
  const ofChildren = children.map((child) => estimateTable(child.copy, [0, 1]));
  return [estimateTable(copy, keys), ...ofChildren].reduce((sum, bytes) => sum + bytes, 0);
}

function estimateTable(copy: Buffer, keys: readonly number[]): number {
  let heap = 0;
  let index = 0;
  for (const lengths of rowLengths(copy)) {
    heap += estimateRow(lengths) + linePointerBytes;
    if (keys.length > 0) {
      const key = keys.map((place) => lengths[place] ?? 0);
      index += align(indexEntryHeaderBytes + estimateValues(key)) + linePointerBytes;
    }
  }
  return heap / pageFill + index / leafFill;
}

function estimateRow(lengths: readonly number[]): number {
  const hasNull = lengths.includes(-1);
  const header = align(rowHeaderBytes + (hasNull ? Math.ceil(lengths.length / 8) : 0));
  return header + align(estimateValues(lengths));
}

/** With one byte each for the length, which values of fixed width have not, but are aligned instead. */
function estimateValues(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + (length < 0 ? 0 : length < 127 ? length + 1 : length + 4), 0);
}

function align(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
