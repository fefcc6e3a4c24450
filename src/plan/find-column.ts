/** Finds the column of a field by its dotted path in MongoDB. */

import { namesOf, type Plan, type PlanColumn } from '../transcode/plan.ts';

/** The table with the values at a path. */
export interface TableOfPath {
  readonly table: Plan;
  /** The rest of the path within the table; empty for the elements themselves. */
  readonly path: string;
  /** The number of key columns of a child table; 0 for the main table. */
  readonly keyLength: number;
}

/** Follows the path through arrays that have child tables. */
export function findTableOf(plan: Plan, path: string, keyLength = 0): TableOfPath {
  for (const child of plan.children ?? []) {
    const array = namesOf(child).join('.');
    if (path !== array && !path.startsWith(`${array}.`)) continue;
    return findTableOf(child.plan, path.slice(array.length + 1), keyLength === 0 ? 2 : keyLength + 1);
  }
  return { table: plan, path, keyLength };
}

/**
 * The column with exactly the values at the dotted `path`. A field whose own name has a dot is never found: MongoDB cannot
 * index it either.
 */
export function findColumn(plan: Plan, path: string): PlanColumn | undefined {
  const [field = '', ...names] = path.split('.');
  return plan.columns.find((column) => {
    const { path: inner = [] } = column;
    return (
      column.field === field &&
      inner.length === names.length &&
      inner.every((name, index) => name === names[index])
    );
  });
}

/** The jsonb column that contains the values at `path` if they have no column of their own; null if there is none. */
export function findJsonColumn(plan: Plan, path: string): string | null {
  const [field = ''] = path.split('.');
  const column = findColumn(plan, field);
  return column?.type === 'json' ? column.column : plan.extraColumn;
}
