/** Counts the fields whose values would not fit into their rows, by encoding a sample. */

import { arrayOfDocuments } from '../../bson/array.ts';
import { BsonError } from '../../bson/types.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import { createRowEncoder, type RowEncoder } from '../../transcode/row.ts';
import type { PlanColumn } from '../../transcode/plan.ts';

/** @returns by field, in how many documents of the sample; a field that always fits is not there */
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

/** One at a time, as all of a sample's rows can be hundreds of megabytes. */
function encodeExtra(encoder: RowEncoder, document: Uint8Array): readonly ExtraCount[] {
  try {
    return encoder.encodeBatch(arrayOfDocuments([document])).extra;
  } catch (error) {
    // Not even its length is true. It counts for nothing, as elsewhere in a sample.
    if (error instanceof BsonError) return [];
    throw error;
  }
}
