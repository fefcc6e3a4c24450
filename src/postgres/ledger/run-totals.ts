/** What a run has committed so far. */

/** What a run has committed, as the ledger tells it. */
export interface RunTotals {
  readonly documentCount: number;
  readonly copied: number;
  readonly deadLettered: number;
  readonly bytes: number;
  /** Rows in child tables. */
  readonly childRows: number;
}
