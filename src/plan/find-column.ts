/** Finds the column of a field, by the path that MongoDB has for it. */

import type { Plan, PlanColumn } from '../transcode/plan.ts';

/**
 * The column that has exactly the values at `path`, whose names have dots between them. A field whose own name has a
 * dot is not meant by a path, and MongoDB cannot index it.
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

/** The jsonb column in which the values at `path` are, when they have no column of their own; null when there is none. */
export function findJsonColumn(plan: Plan, path: string): string | null {
  const [field = ''] = path.split('.');
  const column = findColumn(plan, field);
  return column?.type === 'json' ? column.column : plan.extraColumn;
}
