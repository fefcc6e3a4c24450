/** How much disk the rows of a plan are going to need, by the encoded rows of a sample. */

import { isIdColumn, listDescendants, type Plan } from '../../transcode/plan.ts';
import type { EncodedBatch } from '../../transcode/row.ts';
import { rowLengths } from '../../transcode/copy/copy-rows.ts';

/** https://www.postgresql.org/docs/current/storage-page-layout.html */
const rowHeaderBytes = 23;
const linePointerBytes = 4;
const alignment = 8;
const indexEntryHeaderBytes = 8;
const pageBytes = 8192;
const pageHeaderBytes = 24;
/** A leaf of a B-tree, as CREATE INDEX leaves it: its fillfactor is 90. */
const leafFill = 0.9;
/** Of a B-tree: what it says of itself, and its root. */
const pagesBesideLeaves = 2;

/**
 * Of the rows and their primary key; the collection's other indexes are not in it. What Postgres compresses of long values
 * (those over 2 kB) is not taken off, so that of such documents it says too much; of jsonb, which is larger than its text,
 * too little.
 * @param encoded a sample by this plan
 * @param scale how many times as many documents there are
 * @returns bytes of all of them
 */
export function estimateBytes(
  plan: Plan,
  { copy, children }: Pick<EncodedBatch, 'copy' | 'children'>,
  scale: number,
): number {
  const keys = plan.columns.flatMap((column, index) => (isIdColumn(column) ? [index] : []));
  const descendants = listDescendants(plan);
  const ofChildren = children.map(({ copy: rows }, index) => {
    const { keyLength = 0 } = descendants[index] ?? {};
    return estimateTable(
      rows,
      Array.from({ length: keyLength }, (_, place) => place),
      scale,
    );
  });
  return [estimateTable(copy, keys, scale), ...ofChildren].reduce((sum, bytes) => sum + bytes, 0);
}

function estimateTable(copy: Buffer, keys: readonly number[], scale: number): number {
  let heap = 0;
  let leaves = 0;
  for (const lengths of rowLengths(copy)) {
    heap += estimateRow(lengths) + linePointerBytes;
    const key = keys.map((place) => lengths[place] ?? 0);
    leaves += align(indexEntryHeaderBytes + estimateValues(key)) + linePointerBytes;
  }
  const room = pageBytes - pageHeaderBytes;
  const heapPages = Math.ceil((heap * scale) / room);
  const indexPages = Math.ceil((leaves * scale) / (room * leafFill)) + pagesBesideLeaves;
  return (heapPages + (keys.length > 0 ? indexPages : 0)) * pageBytes;
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
