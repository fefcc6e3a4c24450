/** What a comparison of documents with their rows found. */

import type { ColumnDifference } from './events.ts';

/** A document whose row is missing, or differs. */
export interface Difference {
  readonly kind: 'missing' | 'different';
  /** The document's `_id` in canonical Extended JSON, and as a BSON document. */
  readonly id: string | null;
  readonly idBson: Uint8Array;
  /** Tells, when the document is read again, whether it is still the same. */
  readonly documentHash: string;
  /** Empty for a missing row. */
  readonly columns: readonly ColumnDifference[];
}

/** What the comparison of one batch found; `documents` is the sum of all counts. */
export interface Comparison {
  readonly equal: number;
  readonly missing: number;
  readonly different: number;
  /** Documents that are among the ledger's dead letters, and so need no row. */
  readonly deadLettered: number;
  /** Rows of these documents in child tables. */
  readonly childRows: number;
  /** Details of the first of those that are missing or different. */
  readonly differences: readonly Difference[];
}
