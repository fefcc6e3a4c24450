/** What is known of a column that was there before the run: its type in Postgres, as far as values depend on it. */

import type { ColumnType } from './column-types.ts';

/**
 * How the values of a type are encoded: one name for each row of the table in `transcode/encode-target.ts`. `form` is any
 * type that has no encoding of its own, and takes a string in its text form.
 */
export const planTypesOfKinds = {
  int2: ['int32', 'int64', 'double', 'decimal'],
  int4: ['int32', 'int64', 'double', 'decimal'],
  int8: ['int64', 'int32', 'double', 'decimal'],
  float4: ['double', 'int32', 'int64', 'decimal'],
  float8: ['double', 'int32', 'int64', 'decimal'],
  numeric: ['decimal', 'int32', 'int64', 'double'],
  money: ['decimal', 'int32', 'int64', 'double'],
  bool: ['boolean'],
  text: ['string', 'objectId', 'symbol'],
  enum: ['string'],
  uuid: ['uuid', 'string'],
  bytea: ['binary', 'objectIdBytes'],
  date: ['date'],
  timestamp: ['date'],
  time: ['string'],
  json: ['json'],
  jsonb: ['json'],
  array: ['json'],
  form: ['string'],
} as const satisfies Record<string, readonly ColumnType[]>;

export type ValueKind = keyof typeof planTypesOfKinds;

/** The types in a plan file that agree with a column of this kind; the first is the one that is taken without a plan file. */
export function planTypesOf(kind: ValueKind): readonly [ColumnType, ...ColumnType[]] {
  return planTypesOfKinds[kind];
}

/** A type, and the limits beyond which Postgres would cut or round a value. Plain data: it crosses IPC. */
export interface ValueType {
  readonly kind: ValueKind;
  /** Of `character varying(n)` and `character(n)`. */
  readonly maxCharacters?: number;
  /** Of `name`. */
  readonly maxBytes?: number;
  /** Of `numeric(precision, scale)`; of `money` the decimal places alone. */
  readonly precision?: number;
  readonly scale?: number;
  /** Of `money`: what stands before its decimal places, by the database's locale. */
  readonly decimalPoint?: string;
  /** Decimal places of seconds. */
  readonly secondPlaces?: number;
  /** The numbers inside its text form are doubles. */
  readonly hasDoubles?: true;
  /** Of an enum. */
  readonly labels?: readonly string[];
  /** Of an array: `oid` is what its binary form says, and `delimiter` what its text form has between two elements. */
  readonly element?: ValueType & { readonly oid: number; readonly delimiter: string };
  /** Of an array of more than one. */
  readonly dimensions?: number;
}

export interface ColumnTarget extends ValueType {
  /** The column's type as Postgres writes it, for people: `character varying(50)`. */
  readonly name: string;
  /** The type in SQL that takes the same bytes, and has neither modifier nor constraint. */
  readonly stage: string;
  /**
   * What a staged value must be cast to before it can be assigned: of a type without a binary form of ours, which COPY
   * takes as text. Absent where it can as it is.
   */
  readonly cast?: string;
  /** NULL is refused, by the column or by its domain. */
  readonly isNotNull?: true;
}

/** A column of a table that is there. */
export interface TableColumn {
  readonly column: string;
  /** Null when values of its type cannot be written without Postgres changing some in silence. */
  readonly target: ColumnTarget | null;
  /** The type as Postgres writes it. */
  readonly typeName: string;
  readonly isNotNull: boolean;
  /** A default or an identity fills it where a row has no value for it. */
  readonly hasDefault: boolean;
  /** GENERATED ALWAYS: Postgres alone writes it. */
  readonly isGenerated: boolean;
}

/** A table that is there before the run. */
export interface ExistingTable {
  readonly columns: readonly TableColumn[];
  /** Made by an earlier run of this tool. */
  readonly isOwn: boolean;
}
