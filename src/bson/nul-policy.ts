/** What becomes of U+0000 in a text. */

/** Postgres has no U+0000 in text: make the document a dead letter, leave the character out, or write U+FFFD for it. */
export const nulPolicies = ['reject', 'strip', 'replace'] as const;
export type NulPolicy = (typeof nulPolicies)[number];
