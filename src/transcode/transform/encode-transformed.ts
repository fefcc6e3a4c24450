/** Encodes a transformed batch: all results of a document become rows, or the document becomes one dead letter. */

import { arrayOfDocuments } from '../../bson/array.ts';
import { DocumentCursor, listDocuments } from '../../bson/cursor.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import type { DeadLetter, EncodedBatch, RowEncoder } from '../row.ts';
import type { TransformedBatch } from './batch-transform.ts';

/** The documents of a batch, if not each has exactly one row. */
export interface Sources {
  readonly documentCount: number;
  /** For each row the position of its document; ascending. */
  readonly ofRows: readonly number[];
  readonly deadLetters: readonly DeadLetter[];
  /** Positions of dropped documents. */
  readonly dropped: readonly number[];
}

export interface EncodedResults {
  /** The encoded results; without dead letters. */
  readonly encoded: EncodedBatch;
  readonly sources: Sources;
}

/** @param array the original batch */
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
    // Without the results of refused documents, so that each remaining result has one row.
    const kept = listDocuments(bytes).filter((_, index) => !letters.has(sources[index] ?? -1));
    ofRows = sources.filter((ordinal) => !letters.has(ordinal));
    encoded = encoder.encodeBatch(arrayOfDocuments(kept));
  }
  const deadLetters = [...letters.values()].sort((a, b) => a.ordinal - b.ordinal);
  return { encoded, sources: { documentCount, ofRows, deadLetters, dropped } };
}

/** @param letter of a result. The dead letter keeps the original document, which can be retried. */
function toLetter({ reason, column, detail }: DeadLetter, ordinal: number, array: Uint8Array): DeadLetter {
  const document = documentAt(array, ordinal);
  // An offset in the result is not one in the original document.
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
