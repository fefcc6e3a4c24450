/** The types that a column of a plan can have. */

/**
 * How a column's values are encoded: one name for each row of the table in `transcode/encode.ts`.
 * `json` takes any BSON value; each of the others takes the values of its own BSON type, and of others that
 * convert to it exactly.
 */
export const columnTypes = {
  objectId: 'text',
  objectIdBytes: 'bytea',
  string: 'text',
  symbol: 'text',
  int32: 'integer',
  int64: 'bigint',
  double: 'double precision',
  decimal: 'numeric',
  boolean: 'boolean',
  date: 'timestamp with time zone',
  uuid: 'uuid',
  binary: 'bytea',
  json: 'jsonb',
} as const;

export type ColumnType = keyof typeof columnTypes;
