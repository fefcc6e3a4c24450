/** An encoded batch for PostgreSQL, to be loaded, compared or staged. */

import type { BatchAccount } from '../../observe/ack.ts';
import type { EncodedChild } from '../../transcode/child-rows.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import type { EncodedBatch } from '../../transcode/row.ts';
import type { Sources } from '../../transcode/transform/encode-transformed.ts';
import type { LedgerLetter } from '../ledger/dead-letters.ts';

/** A batch as a COPY stream, with the documents that could not be encoded. */
export interface LoadableBatch {
  readonly copy: Buffer;
  /** Documents in the stream plus dead letters: those of the batch, or those that a transform made of them. */
  readonly documentCount: number;
  /** How many rows the stream has. */
  readonly rowCount: number;
  readonly deadLetters: readonly LedgerLetter[];
  readonly extra: readonly ExtraCount[];
  /** The rows of each child table of the plan, each a stream of its own. */
  readonly children: readonly EncodedChild[];
  /** There may be an `_id` that is too long for the primary key, which is built after the load. */
  readonly hasLongKey: boolean;
  /** Absent if each document of the batch has one row or is a dead letter. If present, it has all dead letters. */
  readonly sources?: BatchSources;
}

/** The documents of a batch that was transformed. */
export interface BatchSources extends Omit<Sources, 'deadLetters'> {
  readonly deadLetters: readonly LedgerLetter[];
}

/** Postgres has rejected nothing yet. */
export function withCodes(encoded: EncodedBatch): LoadableBatch {
  return { ...encoded, deadLetters: encoded.deadLetters.map((letter) => ({ ...letter, code: null })) };
}

/** By the documents' positions in the batch. */
export function listLetters({ sources, deadLetters }: LoadableBatch): readonly LedgerLetter[] {
  return sources?.deadLetters ?? deadLetters;
}

/**
 * @returns the position in the batch of the document from which a row (counted from 0 without dead letters) or a dead letter was
 * made
 */
export function sourceOf({ sources }: Pick<LoadableBatch, 'sources'>, ordinal: number): number {
  return sources?.ofRows[ordinal] ?? ordinal;
}

/** @param refused positions in the batch of documents whose rows Postgres rejected */
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

/** Without those of rejected documents. */
export function countChildRows(
  { children }: Pick<LoadableBatch, 'children'>,
  letters: readonly Pick<LedgerLetter, 'ordinal'>[],
): number {
  const refused = new Set(letters.map(({ ordinal }) => ordinal));
  const counts = children.map(({ parents }) => parents.filter((parent) => !refused.has(parent)).length);
  return counts.reduce((sum, count) => sum + count, 0);
}
