/** What can be chosen about a plan that is inferred. */

/** Which columns are inferred: one for each field, or `_id` and the document as a whole. */
export const layouts = ['columns', 'document'] as const;
export type Layout = (typeof layouts)[number];

/** What an ObjectId becomes where columns are inferred. */
export const objectIdStyles = ['text', 'bytea'] as const;
export type ObjectIdStyle = (typeof objectIdStyles)[number];
