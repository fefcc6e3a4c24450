/** The rows that a batch should have become, in a temporary table beside the target; and the key by which they are found. */

import type pg from 'pg';
import type { ValueKind } from '../plan/column-target.ts';
import { columnTypes, type Plan } from '../plan/plan.ts';
import type { LoadableBatch } from './load.ts';
import { copyToStage, ensureStage, type Stage } from './stage.ts';

export const expectedTable = 'pg_temp.mongo2pg_expected';

/** The rows as they should be, in a temporary table that is empty again after the transaction. */
export async function fillExpected(client: pg.Client, plan: Plan, encoded: LoadableBatch): Promise<void> {
  await fillTable(client, { name: expectedTable, plan }, encoded.copied > 0 ? encoded.copy : null);
}

/** @param copy null where there is no row */
export async function fillTable(client: pg.Client, stage: Stage, copy: Buffer | null): Promise<void> {
  await ensureStage(client, stage);
  if (copy !== null) await copyToStage(client, stage, copy);
}

/** The place of the key among `copyColumns`. */
export function keyIndex(plan: Plan): number {
  return plan.columns.findIndex(({ field, path }) => field === '_id' && path === undefined);
}

export function keyColumn(plan: Plan): string {
  return plan.columns[keyIndex(plan)]?.column ?? '_id';
}

/** Types that have no operator `=`, or one that takes values for equal which are not the same. */
const kindsComparedAsText: readonly (ValueKind | undefined)[] = ['json', 'form', 'text'];

export function isComparedAsText({ columns }: Plan, index: number): boolean {
  const column = columns[index];
  if (column === undefined) return false;
  const { type, target } = column;
  if (target === undefined) return columnTypes[type] === 'text';
  return kindsComparedAsText.includes(target.element?.kind ?? target.kind);
}

/**
 * Whether the values of a column, each given in SQL, are not the same. Text is compared by its bytes: a collation may take
 * `a` and `A` for the same.
 * @param index the place of the column among `copyColumns`
 */
export function isDistinct(plan: Plan, index: number, expected: string, actual: string): string {
  return [expected, actual]
    .map((value) => (isComparedAsText(plan, index) ? `(${value})::text COLLATE "C"` : value))
    .join(' IS DISTINCT FROM ');
}
