/** The choices for a plan that is inferred. */

/**
 * `columns`: a column for each field. `relational`: also for fields of embedded documents, and child tables for arrays.
 * `document`: `_id`, and the whole document.
 */
export const layouts = ['columns', 'relational', 'document'] as const;
export type Layout = (typeof layouts)[number];

/** What arrays of scalars become in a relational plan: child tables, or arrays of Postgres. */
export const scalarArrayStyles = ['table', 'array'] as const;
export type ScalarArrayStyle = (typeof scalarArrayStyles)[number];

/** How many levels of embedded documents a relational plan flattens by default. */
export const defaultFlatten = 3;

/** The type of ObjectIds in an inferred plan. */
export const objectIdStyles = ['text', 'bytea'] as const;
export type ObjectIdStyle = (typeof objectIdStyles)[number];

/** The collation of ObjectIds that are stored as text: `C` (byte by byte), or the default of the database. */
export const objectIdCollations = ['C', 'default'] as const;
export type ObjectIdCollation = (typeof objectIdCollations)[number];
