/** Encodes a batch that was transformed: a document's results become rows together, or the document is one dead letter. */

import { arrayOfDocuments } from '../../bson/array.ts';
import { DocumentCursor, listDocuments } from '../../bson/cursor.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import type { DeadLetter, EncodedBatch, RowEncoder } from '../row.ts';
import type { TransformedBatch } from './batch-transform.ts';

/** The documents of a batch, where not each of them has one row. */
export interface Sources {
  readonly documentCount: number;
  /** Of each row the position of its document; ascending. */
  readonly ofRows: readonly number[];
  readonly deadLetters: readonly DeadLetter[];
  /** Positions of documents that become nothing. */
  readonly dropped: readonly number[];
}

export interface EncodedResults {
  /** Of what the documents became; it has no dead letters. */
  readonly encoded: EncodedBatch;
  readonly sources: Sources;
}

/** @param array the batch as it was read */
export function encodeTransformed(
  encoder: RowEncoder,
  transformed: TransformedBatch,
  array: Uint8Array,
): EncodedResults {
  const { bytes, documentCount, dropped, sources } = transformed;
  const letters = new Map(transformed.deadLetters.map((letter) => [letter.ordinal, letter]));
  let ofRows = sources;
  let encoded = encoder.encodeBatch(bytes);
  if (encoded.deadLetters.length > 0) {
    for (const letter of encoded.deadLetters) {
      const ordinal = sources[letter.ordinal] ?? -1;
      if (!letters.has(ordinal)) letters.set(ordinal, toLetter(letter, ordinal, array));
    }
    // Without all that the refused documents have become, so that what is left has one row each.
    const kept = listDocuments(bytes).filter((_, index) => !letters.has(sources[index] ?? -1));
    ofRows = sources.filter((ordinal) => !letters.has(ordinal));
    encoded = encoder.encodeBatch(arrayOfDocuments(kept));
  }
  const deadLetters = [...letters.values()].sort((a, b) => a.ordinal - b.ordinal);
  return { encoded, sources: { documentCount, ofRows, deadLetters, dropped } };
}

/** @param letter of a result. It keeps the document as it was read, which is what can be tried again. */
function toLetter({ reason, column, detail }: DeadLetter, ordinal: number, array: Uint8Array): DeadLetter {
  const document = documentAt(array, ordinal);
  // A place in what it became says nothing of its own bytes.
  const problem = detail.replace(/ at byte \d+$/, '');
  return {
    ordinal,
    document,
    id: describeId(document),
    reason,
    column,
    detail: `after the transform: ${problem}`,
  };
}

/** A copy of the document at this position. */
export function documentAt(array: Uint8Array, ordinal: number): Buffer {
  const cursor = new DocumentCursor(array);
  for (let at = 0; at <= ordinal; at++) cursor.next();
  return Buffer.from(array.subarray(cursor.start, cursor.end));
}
