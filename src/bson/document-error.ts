/** Why a document cannot become a row: the reasons of dead letters. */

export const deadLetterReasons = [
  /** Its bytes are not BSON. */
  'corrupt_bson',
  /** A character U+0000, which neither text nor jsonb can hold. */
  'nul',
  'invalid_utf8',
  /** More levels of documents and arrays than are followed. */
  'too_deep',
  /** More bytes than jsonb or a row can have. */
  'too_large',
  'missing_id',
  /** The `_id` does not fit its column. */
  'id_type',
  /** A column that must have a value would be NULL. */
  'required',
  /** A value does not fit its column, or a field has none, or is there twice; and there is no extra column for it. */
  'does_not_fit',
  'no_column',
  'duplicate_field',
  /** A field occurs so often that `_extra` would have it twice. */
  'duplicate_extra',
] as const;

export type DeadLetterReason = (typeof deadLetterReasons)[number];

/** The document at hand cannot become a row; the batch goes on without it. */
export class DocumentError extends Error {
  readonly reason: DeadLetterReason;
  readonly problem: string;
  /** The byte it was found at, counted as in the bytes that were handed over; -1 if it has no place. */
  readonly offset: number;

  constructor(reason: DeadLetterReason, problem: string, offset = -1) {
    super(problem);
    this.name = new.target.name;
    this.reason = reason;
    this.problem = problem;
    this.offset = offset;
  }
}
