/** What a column of a plan is in Postgres: its type there, and how its values are written. */

import type { ValueType } from '../column-target.ts';
import type { PlanColumn } from '../plan.ts';
import { columnTypes } from './registry.ts';

/** The type in a table that the plan makes, as Postgres shows it. */
export function sqlTypeOf({ type, isArray }: Pick<PlanColumn, 'type' | 'isArray'>): string {
  return `${columnTypes[type].sql}${isArray === true ? '[]' : ''}`;
}

/** Of a table that was there before, what that has. */
export function valueTypeOf({ type, isArray, target }: PlanColumn): ValueType {
  if (target !== undefined) return target;
  const { kind, oid } = columnTypes[type];
  return isArray === true ? { kind: 'array', element: { kind, oid, delimiter: ',' } } : { kind };
}
