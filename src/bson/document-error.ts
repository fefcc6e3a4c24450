/** The reasons why a document cannot become a row and is a dead letter. */

export const deadLetterReasons = [
  /** Its bytes are not BSON. */
  'corrupt_bson',
  /** A character U+0000, which neither text nor jsonb can hold. */
  'nul',
  'invalid_utf8',
  /** More nested levels of documents and arrays than are supported. */
  'too_deep',
  /** More bytes than jsonb, or a row, can have. */
  'too_large',
  'missing_id',
  /** The `_id` does not fit its column. */
  'id_type',
  /** A column that must have a value would be NULL. */
  'required',
  /** Without an overflow column: a value does not fit its column, a field has no column, or a field occurs twice. */
  'does_not_fit',
  'no_column',
  'duplicate_field',
  /** A field occurs so often that `_extra` would contain it twice. */
  'duplicate_extra',
  /** A JavaScript object, the input of a transform, cannot represent it. */
  'transform_input',
  /** The transform threw an error. */
  'transform_error',
  /** The transform took too long. */
  'transform_timeout',
  /** The transform returned something that is not a document. */
  'transform_result',
  /** The transform returned an `_id` twice; or, while following, another `_id` than the document's. */
  'transform_id',
] as const;

export type DeadLetterReason = (typeof deadLetterReasons)[number];

/** The current document cannot become a row; the batch continues without it. */
export class DocumentError extends Error {
  readonly reason: DeadLetterReason;
  readonly problem: string;
  /** The offset in the input bytes; -1 if there is none. */
  readonly offset: number;

  constructor(reason: DeadLetterReason, problem: string, offset = -1) {
    super(problem);
    this.name = new.target.name;
    this.reason = reason;
    this.problem = problem;
    this.offset = offset;
  }
}
