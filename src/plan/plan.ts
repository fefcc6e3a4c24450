/** The plan: which field of a document goes to which column of the table, and how. */

/**
 * How a column's values are encoded: one name for each row of the table in `transcode/encode.ts`.
 * `json` takes any BSON value; each of the others takes the values of its own BSON type, and of others that
 * convert to it exactly.
 */
export const columnTypes = {
  objectId: 'text',
  string: 'text',
  int32: 'integer',
  int64: 'bigint',
  double: 'double precision',
  boolean: 'boolean',
  date: 'timestamp with time zone',
  json: 'jsonb',
} as const;

export type ColumnType = keyof typeof columnTypes;

export interface PlanColumn {
  /** The top-level field's name in the document. */
  readonly field: string;
  /** The column's name in the table: the field's, unless Postgres cannot have it (see `names.ts`). */
  readonly column: string;
  readonly type: ColumnType;
}

/** What a worker needs to turn documents of one collection into rows of one table. Plain data: it crosses IPC. */
export interface Plan {
  readonly collection: string;
  readonly schema: string;
  readonly table: string;
  /** In the table's order. Exactly one has the field `_id`: the primary key. */
  readonly columns: readonly PlanColumn[];
  /** The jsonb column, after all others, that keeps what has no column or does not fit its own. */
  readonly extraColumn: string;
}
