/**
 * What writers return: the position after what they wrote, or one of these, which no position is.
 *
 * The core decides only what it can decide at once. Whatever is rare or wrong is refused, and the document is encoded again
 * by the encoder outside, which knows the reason. So the core says yes or no, and never why.
 */

/** The document is for the encoder outside: it is rare, malformed, or would be a dead letter. */
export const refused: usize = 0;

/** The value is not one of the column's type. */
export const misfit: usize = 1;

/** A field came before one that the plan has before it. */
export const unordered: usize = 2;
