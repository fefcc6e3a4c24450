/** The plan: which field of a document goes to which column of the table, and how. */

import type { JsonStyle } from '../bson/json/json-style.ts';
import type { NulPolicy } from '../bson/nul-policy.ts';
import type { ColumnType } from './column-types.ts';
import type { ColumnTarget } from './column-target.ts';

export interface PlanColumn {
  /** The top-level field's name in the document. */
  readonly field: string;
  /** The column's name in the table: the field's, unless Postgres cannot have it (see `names.ts`). */
  readonly column: string;
  readonly type: ColumnType;
  /** For a value inside the field: the names that lead to it from there. The field itself goes where it would go anyway. */
  readonly path?: readonly string[];
  /** Of a `binary` column: the one subtype that it takes (default: 0). */
  readonly subtype?: number;
  /** The column is NOT NULL; a document without a value for it becomes a dead letter. */
  readonly isRequired?: true;
  /** Of a table that was there before the run: what its column takes, which goes before `type`. */
  readonly target?: ColumnTarget;
}

/** The primary key, and not a value inside of it. */
export function isIdColumn({ field, path = [] }: PlanColumn): boolean {
  return field === '_id' && path.length === 0;
}

/** What a worker needs to turn documents of one collection into rows of one table. Plain data: it crosses IPC. */
export interface Plan {
  readonly collection: string;
  readonly schema: string;
  readonly table: string;
  /** One has the field `_id`, the primary key, unless it is dropped. */
  readonly columns: readonly PlanColumn[];
  /**
   * The jsonb column, after all others, that keeps what has no column or does not fit its own. Null in a table that was
   * there before and has none: such a document becomes a dead letter.
   */
  readonly extraColumn: string | null;
  /** The extra column has every document whole, so that nothing else needs a column, and nothing is missing from it. */
  readonly keepsWhole?: true;
  /** Top-level fields left out on purpose; counted, so that it is never silent. None when absent. */
  readonly dropped?: readonly string[];
  /** Arrays whose elements go to tables of their own; only of a table that has `_id`. None when absent. */
  readonly children?: readonly ChildTable[];
  /** How jsonb is written (default: relaxed Extended JSON); `_id` is always canonical. */
  readonly jsonStyle?: JsonStyle;
  /** What becomes of a document with U+0000 in a text (default: reject). */
  readonly nul?: NulPolicy;
}

/**
 * A table of the elements of an array: a row for each, with the `_id` of its document and its place in the array. A value
 * that is no array goes to the extra column of the document's row.
 */
export interface ChildTable {
  /** The top-level field that has the array, or has it inside. */
  readonly field: string;
  /** The names that lead to the array from there, through embedded documents; none for the field itself. */
  readonly path?: readonly string[];
  /** Of its columns the first two are the document's `_id` and the place, from 0; the others are fields of elements. */
  readonly plan: Plan;
}
