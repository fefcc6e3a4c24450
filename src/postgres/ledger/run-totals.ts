/** What a run has committed so far. */

/** What a run has committed, as the ledger tells it. */
export interface RunTotals {
  readonly documentCount: number;
  readonly copied: number;
  readonly deadLettered: number;
  /** Documents that the transform made nothing of. */
  readonly dropped: number;
  /** Rows in the documents' own table: more than `copied` where documents became several. */
  readonly rows: number;
  readonly bytes: number;
  /** Rows in child tables. */
  readonly childRows: number;
}
