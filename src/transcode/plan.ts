/** The plan: how fields of documents are mapped to columns of tables. */

import type { JsonStyle } from '../bson/json/json-style.ts';
import type { NulPolicy } from '../bson/nul-policy.ts';
import type { ObjectIdCollation } from '../config/plan-choices.ts';
import type { ColumnType } from './column-types/names.ts';
import type { ColumnTarget } from './column-target.ts';

export interface PlanColumn {
  /** The top-level field's name in the document. */
  readonly field: string;
  /** The column's name in the table: the field's, unless that is not a valid identifier (see `names.ts`). */
  readonly column: string;
  readonly type: ColumnType;
  /** For a value inside the field: the path to it. The field itself is stored as usual. */
  readonly path?: readonly string[];
  /** In a child table: the element itself, if it is not a document. Its `field` is empty. */
  readonly isElement?: true;
  /** It is a Postgres array of the type, and accepts arrays all of whose elements fit. */
  readonly isArray?: true;
  /** For a `binary` column: the only subtype that it accepts (default: 0). */
  readonly subtype?: number;
  /** The column is NOT NULL; a document without a value for it becomes a dead letter. */
  readonly isRequired?: true;
  /** For an existing table: the type of its column, which takes precedence over `type`. */
  readonly target?: ColumnTarget;
}

/** The primary key, and not a value inside it. In a child table also an element's field of that name. */
export function isIdColumn({ field, path = [] }: PlanColumn): boolean {
  return field === '_id' && path.length === 0;
}

/** For a child table: its first column, which is not a field of an element. @returns the index of the column, or -1 */
export function placeOfId({ columns }: Pick<Plan, 'columns'>): number {
  return columns.findIndex(isIdColumn);
}

/** The path to a column's value, or to a child table's array. */
export function namesOf({ field, path = [] }: Pick<PlanColumn, 'field' | 'path'>): readonly string[] {
  return [field, ...path];
}

/** What a worker needs to turn documents of one collection into rows of one table. Plain data, since it is sent over IPC. */
export interface Plan {
  readonly collection: string;
  readonly schema: string;
  readonly table: string;
  /** Includes the field `_id`, the primary key, unless it is dropped. */
  readonly columns: readonly PlanColumn[];
  /**
   * The jsonb column, after all others, for fields without a column and values that do not fit. Null for an existing table without one: such documents become dead letters.
   */
  readonly extraColumn: string | null;
  /** Number of partitions of a new table, by the hash of the key's first column; absent without partitions. */
  readonly partitions?: number;
  /** The extra column has every whole document. */
  readonly keepsWhole?: true;
  /** Top-level fields that are dropped on purpose; they are counted and reported. */
  readonly dropped?: readonly string[];
  /**
   * Paths of embedded documents that are flattened; their parents are flattened too. Their fields go to columns and child tables, and only the rest to the extra column.
   */
  readonly flattened?: readonly (readonly string[])[];
  /** Arrays whose elements go to child tables; only for a table with `_id`. */
  readonly children?: readonly ChildTable[];
  /** How jsonb is written (default: relaxed Extended JSON); `_id` is always canonical. */
  readonly jsonStyle?: JsonStyle;
  /** How U+0000 in text is handled (default: reject). */
  readonly nul?: NulPolicy;
  /** Collation of columns of type `objectId` in new tables. Absent in plans of older runs: the default of the database. */
  readonly objectIdCollation?: ObjectIdCollation;
  /** The transform of each document, if any. */
  readonly transform?: TransformFile;
  /** Changes of fields in each document, after `transform`. */
  readonly changes?: readonly FieldChange[];
  /** Columns that Postgres generates, after all others: in the table, but not in encoded rows. */
  readonly generated?: readonly GeneratedColumn[];
}

/** A module whose default export is a `MigrationTransform`. */
export interface TransformFile {
  /** Its absolute path. */
  readonly file: string;
  /** SHA-256 of its content, in hex. */
  readonly hash: string;
  /** Set when changes are followed: a document becomes at most one, with the same `_id`, by which its row is found. */
  readonly keepsId?: true;
}

/** The plan with the transform's module at its present place, such as on another host; the same object if it has not moved. */
export function atTransformFile(plan: Plan, transform: TransformFile | null): Plan {
  if (plan.transform === undefined || transform === null) return plan;
  if (plan.transform.file === transform.file) return plan;
  return { ...plan, transform: { ...plan.transform, file: transform.file } };
}

/** A change of one field in each document, as specified for its column in a plan. */
export interface FieldChange {
  /** The path to the field. */
  readonly path: readonly string[];
  /** Paths of the arrays that contain it, each within an element of the one before; absent for a field of the document itself. */
  readonly arrays?: readonly (readonly string[])[];
  readonly change: ValueChange;
}

export type ValueChange =
  /** Always this value: `{v: …}` in canonical Extended JSON. */
  | { readonly kind: 'constant'; readonly value: string }
  /** This value if the field is missing or null. */
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
  /** In SQL, over other columns of the row. */
  readonly expression: string;
}

/**
 * A table for the elements of an array: one row each, with the `_id` of the document and the array position. A value that is not an
 * array goes to the extra column of the parent row. Elements may contain arrays with further child tables.
 */
export interface ChildTable {
  /** The field with the array, or with the document that contains it, in the document or in an element of the parent table. */
  readonly field: string;
  /** The path to the array from the field, through embedded documents; empty for the field itself. */
  readonly path?: readonly string[];
  /** An empty array, which has no row, goes to the extra column of the parent row. */
  readonly keepsEmpty?: true;
  /**
   * The first columns are the key: the document's `_id`, then the array position (from 0) of the element of each parent table, and last its own. The others are fields of elements.
   */
  readonly plan: Plan;
}

/** The column for the array position of an element. */
export function placeColumn(column: string): PlanColumn {
  return { field: '', column, type: 'int32', isRequired: true };
}

/** A child table at any depth. */
export interface Descendant {
  readonly child: ChildTable;
  /** The parent table. */
  readonly parent: Plan;
  /** The index of the parent among the descendants of the plan, or -1 for the main table. */
  readonly parentIndex: number;
  /** Number of key columns. */
  readonly keyLength: number;
}

/** All child tables, parents first, which is the order of insertion. */
export function listDescendants(plan: Plan): readonly Descendant[] {
  const found: Descendant[] = [];
  const add = (parent: Plan, parentIndex: number, keyLength: number): void => {
    for (const child of parent.children ?? []) {
      const index = found.push({ child, parent, parentIndex, keyLength }) - 1;
      add(child.plan, index, keyLength + 1);
    }
  };
  // The document's `_id` and the array position.
  add(plan, -1, 2);
  return found;
}
