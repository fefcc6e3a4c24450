/** The dialects of JSON that documents are written in. */

/**
 * `canonical` keeps the type of every number and date. `relaxed` writes numbers and dates in plain JSON if nothing is lost.
 * `plain` writes an ObjectId as its digits, a date as ISO text, a Decimal128 as a number, and a UUID and a symbol as text;
 * types are lost.
 */
export const jsonStyles = ['relaxed', 'canonical', 'plain'] as const;
export type JsonStyle = (typeof jsonStyles)[number];
