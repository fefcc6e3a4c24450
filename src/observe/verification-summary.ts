/** The result of a comparison, with its differences. */

/** A difference between the documents and the rows. */
export interface NamedDifference {
  /** `extra`: a row without a document. `doubled`: more than one row with the same key. */
  readonly kind: 'missing' | 'different' | 'extra' | 'doubled';
  /** The document's `_id` in canonical Extended JSON; for a row, its key as Postgres formats it. */
  readonly id: string;
  /** For an extra row in a child table: the table, and the row's position. */
  readonly place?: string;
  readonly columns: readonly ColumnDifference[];
}

/** A column with a wrong value. Values are text, truncated for display. */
export interface ColumnDifference {
  readonly column: string;
  readonly expected: string | null;
  readonly actual: string | null;
}

/**
 * The result of a comparison. `compared` is the sum of `equal`, `deadLettered`, `dropped`, `missing`, `different` and
 * `changed`.
 */
export interface VerificationSummary {
  readonly source: string;
  /** Quoted, with its schema. */
  readonly table: string;
  readonly runId: string;
  /** Documents read. */
  readonly read: number;
  /** Documents compared: all of them, or those of a sample. */
  readonly compared: number;
  readonly equal: number;
  /** Documents that were found equal while following and have not changed since; they are not compared again. */
  readonly verifiedBefore?: number;
  /** Documents that are dead letters of the run. */
  readonly deadLettered: number;
  /** Documents that the transform drops; absent if some of the documents were compared while following. */
  readonly dropped?: number;
  readonly missing: number;
  readonly different: number;
  /** Documents that changed during the comparison; they prove nothing. */
  readonly changed: number;
  /** Rows without a document, and rows that exist twice. */
  readonly extra: number;
  readonly rows: number;
  /** Rows in the same table that are not of this run. */
  readonly rowsOfOthers: number;
  /** Rows of child tables without a document. */
  readonly extraChildRows: number;
  /** Only a sample of the documents was compared. */
  readonly isSample: boolean;
  /**
   * For a sample: the number of rows is not as expected. Otherwise: there are fewer rows than the rows found plus those of
   * other runs. So rows of other runs are missing, or rows were deleted after their comparison.
   */
  readonly isCountOff: boolean;
  /** The first of the differences. */
  readonly differences: readonly NamedDifference[];
  readonly bytes: number;
  readonly totalMs: number;
}
