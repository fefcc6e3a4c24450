/** A batch as it is handed to PostgreSQL, whatever is done with it there: loaded, compared, or staged for either. */

import type { BatchAccount } from '../../observe/ack.ts';
import type { EncodedChild } from '../../transcode/child-rows.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import type { EncodedBatch } from '../../transcode/row.ts';
import type { Sources } from '../../transcode/transform/encode-transformed.ts';
import type { LedgerLetter } from '../ledger/dead-letters.ts';

/** A batch as a COPY stream, and the documents of it that have no row there. */
export interface LoadableBatch {
  readonly copy: Buffer;
  /** How many are in the stream, or are dead letters: those of the batch, or what became of them. */
  readonly documentCount: number;
  /** How many rows the stream has. */
  readonly rowCount: number;
  readonly deadLetters: readonly LedgerLetter[];
  readonly extra: readonly ExtraCount[];
  /** The rows of each child table of the plan, each a stream of its own. */
  readonly children: readonly EncodedChild[];
  /** There may be an `_id` that the primary key, which is built after the load, cannot have. */
  readonly hasLongKey: boolean;
  /** Absent where each document of the batch has one row, or is a dead letter. Otherwise there are no other dead letters. */
  readonly sources?: BatchSources;
}

/** The documents of a batch that was transformed. */
export interface BatchSources extends Omit<Sources, 'deadLetters'> {
  readonly deadLetters: readonly LedgerLetter[];
}

/** Postgres has refused nothing yet. */
export function withCodes(encoded: EncodedBatch): LoadableBatch {
  return { ...encoded, deadLetters: encoded.deadLetters.map((letter) => ({ ...letter, code: null })) };
}

/** By the documents' positions in the batch. */
export function listLetters({ sources, deadLetters }: LoadableBatch): readonly LedgerLetter[] {
  return sources?.deadLetters ?? deadLetters;
}

/** @returns the position in the batch of the document that a row, counted from 0 without dead letters, or a dead letter is of */
export function sourceOf({ sources }: Pick<LoadableBatch, 'sources'>, ordinal: number): number {
  return sources?.ofRows[ordinal] ?? ordinal;
}

/** @param refused documents, by their positions in the batch, whose rows Postgres did not take */
export function accountOf(batch: LoadableBatch, refused: ReadonlySet<number> = new Set()): BatchAccount {
  const { sources, rowCount } = batch;
  const documentCount = sources?.documentCount ?? batch.documentCount;
  const dropped = sources?.dropped.length ?? 0;
  const deadLettered = listLetters(batch).length + refused.size;
  const copied = documentCount - deadLettered - dropped;
  const refusedRows =
    sources === undefined ? refused.size : sources.ofRows.filter((ordinal) => refused.has(ordinal)).length;
  return { documentCount, copied, deadLettered, dropped, addedRows: rowCount - refusedRows - copied };
}

/** Those of documents that Postgres refused are not there either. */
export function countChildRows(
  { children }: Pick<LoadableBatch, 'children'>,
  letters: readonly Pick<LedgerLetter, 'ordinal'>[],
): number {
  const refused = new Set(letters.map(({ ordinal }) => ordinal));
  const counts = children.map(({ parents }) => parents.filter((parent) => !refused.has(parent)).length);
  return counts.reduce((sum, count) => sum + count, 0);
}
