/** What a run has committed so far. */

/** What a run has committed, from the ledger. */
export interface RunTotals {
  readonly documentCount: number;
  readonly copied: number;
  readonly deadLettered: number;
  /** Documents that the transform has dropped. */
  readonly dropped: number;
  /** Rows in the main table: more than `copied` if documents became several rows. */
  readonly rows: number;
  readonly bytes: number;
  /** Rows in child tables. */
  readonly childRows: number;
}
