/** The result of comparing documents with their rows. */

import type { ColumnDifference } from './verification-summary.ts';

/** A document whose row is missing, or differs. */
export interface Difference {
  readonly kind: 'missing' | 'different';
  /** The document's `_id` in canonical Extended JSON, and as a BSON document. */
  readonly id: string | null;
  readonly idBson: Uint8Array;
  /** Shows, when the document is read again, whether it has changed. */
  readonly documentHash: string;
  /** Empty for a missing row. */
  readonly columns: readonly ColumnDifference[];
}

/** The result for one batch. */
export interface Comparison {
  readonly equal: number;
  readonly missing: number;
  readonly different: number;
  /** Documents that need no row because they are dead letters in the ledger. */
  readonly deadLettered: number;
  /** Documents that need no row because a transform drops them. */
  readonly dropped: number;
  /** Rows found for these documents in the main table, equal or not. */
  readonly rows: number;
  /** Rows found for these documents in child tables. */
  readonly childRows: number;
  /** Details of the first documents that are missing or different. */
  readonly differences: readonly Difference[];
  /** Of the ids asked for, those with rows but no document, in canonical Extended JSON; absent if none was asked for. */
  readonly extra?: readonly (string | null)[];
}
