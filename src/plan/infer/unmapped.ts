/** Counts the fields whose values do not fit into their rows, by encoding a sample. */

import { arrayOfDocuments } from '../../bson/array.ts';
import { BsonError } from '../../bson/types.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import { createRowEncoder, type RowEncoder } from '../../transcode/row.ts';
import type { PlanColumn } from '../../transcode/plan.ts';

/** @returns the number of documents by field; fields that always fit are absent */
export function findUnmapped(
  sample: readonly Uint8Array[],
  columns: readonly PlanColumn[],
): ReadonlyMap<string, number> {
  const encoder = createRowEncoder({ collection: '', schema: '', table: '', columns, extraColumn: '_extra' });
  const counts = new Map<string, number>();
  for (const document of sample) {
    for (const { field, reason, count } of encodeExtra(encoder, document)) {
      if (reason === 'row_too_wide') counts.set(field, (counts.get(field) ?? 0) + count);
    }
  }
  return counts;
}

/** One document at a time, because the rows of a whole sample can be hundreds of megabytes. */
function encodeExtra(encoder: RowEncoder, document: Uint8Array): readonly ExtraCount[] {
  try {
    return encoder.encodeBatch(arrayOfDocuments([document])).extra;
  } catch (error) {
    // Even the length is corrupt. It does not count, as in the rest of the sample.
    if (error instanceof BsonError) return [];
    throw error;
  }
}
