/** Splits a batch in halves, to find the document in it that ends workers. */

import { DocumentCursor } from '../transcode/bson.ts';
import { copyId } from '../transcode/document-id.ts';
import type { Batch } from './protocol.ts';

/** The int32 length that a BSON array begins with, and the NUL that it ends with. */
const headerBytes = 4;
const terminatorBytes = 1;

/**
 * The first half keeps the batch's number, so that the ledger still tells whether the whole was committed: the second
 * may be delivered only when the first has been, and was not. A batch of one document cannot be split.
 */
export function splitBatch(batch: Batch): [Batch, Batch] {
  const firstCount = batch.count >> 1;
  const cursor = new DocumentCursor(batch.documents);
  for (let i = 0; i < firstCount; i++) cursor.next();
  const middleId = copyId(batch.documents.subarray(cursor.start, cursor.end));
  if (firstCount === 0 || middleId === null) throw new Error(`batch ${batch.number} cannot be split`);
  const { documents, number, count } = batch;
  return [
    { ...batch, count: firstCount, documents: arrayOf(documents, headerBytes, cursor.end), lastId: middleId },
    {
      ...batch,
      number: number + firstCount,
      count: count - firstCount,
      documents: arrayOf(documents, cursor.end, documents.byteLength - terminatorBytes),
      afterId: middleId,
    },
  ];
}

/** An array of the elements from `start` to before `end`. They keep their indices as names, which nobody reads. */
function arrayOf(documents: Uint8Array, start: number, end: number): Uint8Array {
  const array = Buffer.alloc(headerBytes + (end - start) + terminatorBytes);
  array.writeInt32LE(array.byteLength);
  array.set(documents.subarray(start, end), headerBytes);
  return array;
}
