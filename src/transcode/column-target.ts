/** A column of an existing table: its type in Postgres, as far as encoding depends on it. */

import type { ValueKind } from './column-types/names.ts';

/** A type, and the limits beyond which Postgres would truncate or round a value. Plain data, since it is sent over IPC. */
export interface ValueType {
  readonly kind: ValueKind;
  /** Of `character varying(n)` and `character(n)`. */
  readonly maxCharacters?: number;
  /** Of `name`. */
  readonly maxBytes?: number;
  /** Of `numeric(precision, scale)`; for `money` only the scale. */
  readonly precision?: number;
  readonly scale?: number;
  /** Of `money`: the decimal point in the database's locale. */
  readonly decimalPoint?: string;
  /** Decimal places of seconds. */
  readonly secondPlaces?: number;
  /** The numbers inside its text form are doubles. */
  readonly hasDoubles?: true;
  /** Of an enum. */
  readonly labels?: readonly string[];
  /** Of an array: `oid` is for the binary form, and `delimiter` separates elements in the text form. */
  readonly element?: ValueType & { readonly oid: number; readonly delimiter: string };
  /** Of an array with more than one dimension. */
  readonly dimensions?: number;
}

export interface ColumnTarget extends ValueType {
  /** The column's type as Postgres shows it: `character varying(50)`. */
  readonly name: string;
  /** An SQL type that accepts the same bytes, without modifier and constraints. */
  readonly stage: string;
  /**
   * The cast that a staged value needs before assignment: for a type that we do not encode in binary, and copy as text. Absent if none is needed.
   */
  readonly cast?: string;
  /** NULL is not allowed, by the column or by its domain. */
  readonly isNotNull?: true;
}

/** A column of an existing table. */
export interface TableColumn {
  readonly column: string;
  /** Null if Postgres would silently change some values of its type. */
  readonly target: ColumnTarget | null;
  /** The type as Postgres shows it. */
  readonly typeName: string;
  readonly isNotNull: boolean;
  /** It has a default or is an identity column. */
  readonly hasDefault: boolean;
  /** GENERATED ALWAYS: only Postgres writes it. */
  readonly isGenerated: boolean;
}

/** A table that exists before the run. */
export interface ExistingTable {
  readonly columns: readonly TableColumn[];
  /** Created by an earlier run of this tool. */
  readonly isOwn: boolean;
  /** If it is partitioned by the hash of one column: the number of partitions, and the column. */
  readonly partitioned?: { readonly count: number; readonly column: string };
}
