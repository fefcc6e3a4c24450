/** The type of a plan's column in Postgres, and how its values are encoded. */

import type { ValueType } from '../column-target.ts';
import type { PlanColumn } from '../plan.ts';
import { columnTypes } from './registry.ts';

/** The type in a table that is created from the plan, as Postgres shows it. */
export function sqlTypeOf({ type, isArray }: Pick<PlanColumn, 'type' | 'isArray'>): string {
  return `${columnTypes[type].sql}${isArray === true ? '[]' : ''}`;
}

/** For an existing table, the type of its column. */
export function valueTypeOf({ type, isArray, target }: PlanColumn): ValueType {
  if (target !== undefined) return target;
  const { kind, oid } = columnTypes[type];
  return isArray === true ? { kind: 'array', element: { kind, oid, delimiter: ',' } } : { kind };
}
