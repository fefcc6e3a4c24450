/** Estimates the disk space that the rows of a plan need, from the encoded rows of a sample. */

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
/** Fill of a B-tree leaf after CREATE INDEX: the default fillfactor is 90. */
const leafFill = 0.9;
/** The meta page and the root of a B-tree. */
const pagesBesideLeaves = 2;

/**
 * Includes the rows and their primary key, but no other indexes. Compression of long values (over 2 kB) is ignored, so that the
 * estimate is too high for such documents. It is too low for jsonb, which is larger than its text.
 * @param encoded a sample by this plan
 * @param scale number of documents divided by the number in the sample
 * @returns bytes for all documents
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

/** Adds one byte per value for the length header. Values of fixed width have none, but are aligned. */
function estimateValues(lengths: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + (length < 0 ? 0 : length < 127 ? length + 1 : length + 4), 0);
}

function align(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
