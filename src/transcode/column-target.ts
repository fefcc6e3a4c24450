/** What is known of a column that was there before the run: its type in Postgres, as far as values depend on it. */

import type { ValueKind } from './column-types/names.ts';

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
  /** Where it has partitions by the hash of one column: how many there are, and of which. */
  readonly partitioned?: { readonly count: number; readonly column: string };
}
