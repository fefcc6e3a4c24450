/** Splits a batch in halves, to find the document in it that ends workers. */

import { ARRAY_HEADER_BYTES, ARRAY_TERMINATOR_BYTES, arrayOfElements } from '../transcode/bson-array.ts';
import { DocumentCursor } from '../transcode/bson.ts';
import { copyId } from '../transcode/document-id.ts';
import type { Batch } from './protocol.ts';

/**
 * The first half keeps the batch's number, so that the ledger still tells whether the whole was committed: the second
 * may be delivered only when the first has been, and was not. A batch of one document cannot be split.
 */
export function splitBatch(batch: Batch): [Batch, Batch] {
  const firstCount = batch.count >> 1;
  if (firstCount === 0) throw new Error(`batch ${batch.number} cannot be split`);
  const cursor = new DocumentCursor(batch.documents);
  for (let i = 0; i < firstCount; i++) cursor.next();
  const middleId = copyId(batch.documents.subarray(cursor.start, cursor.end));
  if (middleId === null) throw new Error(`batch ${batch.number} has a document without an _id`);
  const { documents, number, count } = batch;
  return [
    {
      ...batch,
      count: firstCount,
      documents: arrayOfElements(documents.subarray(ARRAY_HEADER_BYTES, cursor.end)),
      lastId: middleId,
    },
    {
      ...batch,
      number: number + firstCount,
      count: count - firstCount,
      documents: arrayOfElements(
        documents.subarray(cursor.end, documents.byteLength - ARRAY_TERMINATOR_BYTES),
      ),
      afterId: middleId,
    },
  ];
}
