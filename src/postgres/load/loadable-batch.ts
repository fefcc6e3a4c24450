/** A batch as it is handed to PostgreSQL, whatever is done with it there: loaded, compared, or staged for either. */

import type { EncodedChild } from '../../transcode/child-rows.ts';
import type { ExtraCount } from '../../transcode/extra-counter.ts';
import type { LedgerLetter } from '../ledger/dead-letters.ts';

/** A batch as a COPY stream, and the documents of it that have no row there. */
export interface LoadableBatch {
  readonly copy: Buffer;
  readonly documentCount: number;
  /** How many rows the stream has. */
  readonly rowCount: number;
  readonly deadLetters: readonly LedgerLetter[];
  readonly extra: readonly ExtraCount[];
  /** The rows of each child table of the plan, each a stream of its own. */
  readonly children: readonly EncodedChild[];
  /** There may be an `_id` that the primary key, which is built after the load, cannot have. */
  readonly hasLongKey: boolean;
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
