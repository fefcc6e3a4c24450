/** The plan: which field of a document goes to which column of the table, and how. */

import type { JsonStyle } from '../bson/json/json-style.ts';
import type { NulPolicy } from '../bson/nul-policy.ts';
import type { ObjectIdCollation } from '../config/plan-choices.ts';
import type { ColumnType } from './column-types/names.ts';
import type { ColumnTarget } from './column-target.ts';

export interface PlanColumn {
  /** The top-level field's name in the document. */
  readonly field: string;
  /** The column's name in the table: the field's, unless Postgres cannot have it (see `names.ts`). */
  readonly column: string;
  readonly type: ColumnType;
  /** For a value inside the field: the names that lead to it from there. The field itself goes where it would go anyway. */
  readonly path?: readonly string[];
  /** Of a child table: the element itself, where that is no document. Its `field` is empty. */
  readonly isElement?: true;
  /** It is an array of the type in Postgres, and takes arrays all of whose elements fit. */
  readonly isArray?: true;
  /** Of a `binary` column: the one subtype that it takes (default: 0). */
  readonly subtype?: number;
  /** The column is NOT NULL; a document without a value for it becomes a dead letter. */
  readonly isRequired?: true;
  /** Of a table that was there before the run: what its column takes, which goes before `type`. */
  readonly target?: ColumnTarget;
}

/** The primary key, and not a value inside of it. In a child table also an element's own field of that name. */
export function isIdColumn({ field, path = [] }: PlanColumn): boolean {
  return field === '_id' && path.length === 0;
}

/** Of a child table: its first column, and no field of an element. @returns the place among the columns, or -1 */
export function placeOfId({ columns }: Pick<Plan, 'columns'>): number {
  return columns.findIndex(isIdColumn);
}

/** The names that lead to a column's value, or to a child table's array. */
export function namesOf({ field, path = [] }: Pick<PlanColumn, 'field' | 'path'>): readonly string[] {
  return [field, ...path];
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
  /** How many partitions by the hash of its key's first column a new table has; it has none when absent. */
  readonly partitions?: number;
  /** The extra column has every document whole, so that nothing else needs a column, and nothing is missing from it. */
  readonly keepsWhole?: true;
  /** Top-level fields left out on purpose; counted, so that it is never silent. None when absent. */
  readonly dropped?: readonly string[];
  /**
   * Embedded documents that are taken apart, each by the names that lead to it, through others that are: what is inside goes to
   * columns and child tables, and only what is left of it to the extra column. None when absent.
   */
  readonly flattened?: readonly (readonly string[])[];
  /** Arrays whose elements go to tables of their own; only of a table that has `_id`. None when absent. */
  readonly children?: readonly ChildTable[];
  /** How jsonb is written (default: relaxed Extended JSON); `_id` is always canonical. */
  readonly jsonStyle?: JsonStyle;
  /** What becomes of a document with U+0000 in a text (default: reject). */
  readonly nul?: NulPolicy;
  /** Of columns of the type `objectId`, where the table is made by this plan. Plans of older runs have none: the database's. */
  readonly objectIdCollation?: ObjectIdCollation;
  /** What makes of each document what is copied. None when absent. */
  readonly transform?: TransformFile;
  /** What is changed in each document, after `transform`, before it becomes a row. Nothing when absent. */
  readonly changes?: readonly FieldChange[];
  /** Columns that Postgres computes, after all others: they are in the table and not in its rows. None when absent. */
  readonly generated?: readonly GeneratedColumn[];
}

/** A module whose default export is a `MigrationTransform`. */
export interface TransformFile {
  /** Its absolute path. */
  readonly file: string;
  /** SHA-256 of its text, in hex. */
  readonly hash: string;
  /** Changes are followed: a document becomes none or one, of the same `_id`, by which its row is found again. */
  readonly keepsId?: true;
}

/** The plan with the transform's module at its present place, such as on another host; the same object if it has not moved. */
export function atTransformFile(plan: Plan, transform: TransformFile | null): Plan {
  if (plan.transform === undefined || transform === null) return plan;
  if (plan.transform.file === transform.file) return plan;
  return { ...plan, transform: { ...plan.transform, file: transform.file } };
}

/** A change of one field of each document, by what a plan says of its column. */
export interface FieldChange {
  /** The names that lead to the field. */
  readonly path: readonly string[];
  /** Arrays that lead to it first, each path within an element of the one before; none for a field of the document itself. */
  readonly arrays?: readonly (readonly string[])[];
  readonly change: ValueChange;
}

export type ValueChange =
  /** Always this value: `{v: …}` in canonical Extended JSON. */
  | { readonly kind: 'constant'; readonly value: string }
  /** This value where there is none, or null. */
  | { readonly kind: 'default'; readonly value: string }
  | { readonly kind: 'lowercase' }
  /** SHA-256 of salt and text, in hex. */
  | { readonly kind: 'sha256'; readonly salt: string }
  | { readonly kind: 'redact' }
  /** All characters but the last four are hidden. */
  | { readonly kind: 'last4' };

export interface GeneratedColumn {
  readonly column: string;
  /** A type of Postgres, in SQL. */
  readonly type: string;
  /** In SQL, of other columns of the row. */
  readonly expression: string;
}

/**
 * A table of the elements of an array: a row for each, with the `_id` of its document and its place in the array. A value
 * that is no array goes to the extra column of the row around it. The elements may have arrays with tables of their own.
 */
export interface ChildTable {
  /** The field that has the array, or has it inside: of the document, or of an element of the table above. */
  readonly field: string;
  /** The names that lead to the array from there, through embedded documents; none for the field itself. */
  readonly path?: readonly string[];
  /** An empty array, which has no row, goes to the extra column of the row around it. */
  readonly keepsEmpty?: true;
  /**
   * Of its columns the first are its key: the document's `_id`, then from 0 the place of the element of each table above, and
   * last its own. The others are fields of elements.
   */
  readonly plan: Plan;
}

/** The column for the place of an element, which is no field of it. */
export function placeColumn(column: string): PlanColumn {
  return { field: '', column, type: 'int32', isRequired: true };
}

/** A child table of any depth. */
export interface Descendant {
  readonly child: ChildTable;
  /** The table with the rows around its own. */
  readonly parent: Plan;
  /** Its place among the descendants of the plan, or -1 when that is the table of the documents. */
  readonly parentIndex: number;
  /** How many of its columns are its key. */
  readonly keyLength: number;
}

/** All child tables, each after the one above it: the order in which rows can be inserted. */
export function listDescendants(plan: Plan): readonly Descendant[] {
  const found: Descendant[] = [];
  const add = (parent: Plan, parentIndex: number, keyLength: number): void => {
    for (const child of parent.children ?? []) {
      const index = found.push({ child, parent, parentIndex, keyLength }) - 1;
      add(child.plan, index, keyLength + 1);
    }
  };
  // The document's `_id` and the place.
  add(plan, -1, 2);
  return found;
}
