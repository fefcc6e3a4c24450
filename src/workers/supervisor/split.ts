/** Splits a batch in halves, to find the document that crashes workers. */

import { type Batch, batchKey } from '../../source/page.ts';
import { arrayHeaderBytes, arrayTerminatorBytes, arrayOfElements } from '../../bson/array.ts';
import { DocumentCursor } from '../../bson/cursor.ts';
import { copyId } from '../../bson/document-id.ts';
import { offsetPosition, readOffset } from '../../bson/position.ts';

/**
 * The first half keeps the batch's number, so that the ledger still detects whether the whole was committed. The second may be
 * delivered only after the first was committed on its own. A batch of one document cannot be split.
 */
export function splitBatch(batch: Batch): [Batch, Batch] {
  const firstCount = batch.documentCount >> 1;
  if (firstCount === 0) throw new Error(`batch ${batchKey(batch)} cannot be split`);
  const cursor = new DocumentCursor(batch.bytes);
  let element = cursor.end;
  for (let i = 0; i < firstCount; i++) {
    element = cursor.end;
    cursor.next();
  }
  const middle = positionOf(batch, element, cursor);
  const { bytes, number, documentCount } = batch;
  return [
    {
      ...batch,
      documentCount: firstCount,
      bytes: arrayOfElements(bytes.subarray(arrayHeaderBytes, cursor.end)),
      last: middle,
    },
    {
      ...batch,
      number: number + firstCount,
      documentCount: documentCount - firstCount,
      bytes: arrayOfElements(bytes.subarray(cursor.end, bytes.byteLength - arrayTerminatorBytes)),
      after: middle,
    },
  ];
}

function positionOf(batch: Batch, element: number, at: DocumentCursor): Uint8Array {
  const { bytes, last } = batch;
  const document = bytes.subarray(at.start, at.end);
  if (readOffset(last) !== null) {
    // In a page of a dump, the key of each element is the offset at which its document ends.
    const name = bytes.subarray(element + 1, at.start - 1);
    return offsetPosition(document, Number(Buffer.from(name).toString('latin1')));
  }
  const id = copyId(document);
  if (id === null) throw new Error(`batch ${batchKey(batch)} has a document without an _id`);
  return id;
}
