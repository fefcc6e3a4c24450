/** The names of the types that a column can have: in a plan, and in Postgres. What is known of each: `registry.ts`. */

/** The types in plans; a plan file lists them in this order. */
export const columnTypeNames = [
  'objectId',
  'objectIdBytes',
  'string',
  'symbol',
  'int32',
  'int64',
  'double',
  'decimal',
  'boolean',
  'date',
  'uuid',
  'binary',
  'json',
] as const;

export type ColumnType = (typeof columnTypeNames)[number];

/**
 * The types of Postgres that are encoded differently. `form` is any type without an encoding of its own, which accepts strings in
 * its text form.
 */
export type ValueKind =
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'money'
  | 'bool'
  | 'text'
  | 'enum'
  | 'form'
  | 'uuid'
  | 'bytea'
  | 'date'
  | 'timestamp'
  | 'time'
  | 'json'
  | 'jsonb'
  | 'array';
