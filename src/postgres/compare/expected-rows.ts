/** The expected rows of a batch, in a temporary table, and the key by which they are found. */

import type pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import type { LoadableBatch } from '../load/loadable-batch.ts';
import { copyToStage, ensureStage, type Stage } from '../load/stage.ts';
import { columnTypes, valueKinds } from '../../transcode/column-types/registry.ts';
import { qualifiedName } from '../connection/relations.ts';

export const expectedTable = 'pg_temp.mongo2pg_expected';

/** Fills the temporary table, which is emptied after the transaction, with the expected rows. */
export async function fillExpected(client: pg.Client, plan: Plan, encoded: LoadableBatch): Promise<void> {
  await fillTable(client, { name: expectedTable, plan }, encoded.rowCount > 0 ? encoded.copy : null);
}

/** @param copy null if there are no rows */
export async function fillTable(client: pg.Client, stage: Stage, copy: Buffer | null): Promise<void> {
  await ensureStage(client, stage);
  if (copy !== null) await copyToStage(client, stage, copy);
}

/** The least and the greatest key of the expected rows, as text. */
export interface Stretch {
  readonly first: string | null;
  readonly last: string | null;
}

/** The index of the key in `copyColumns`. */
export function keyIndex(plan: Plan): number {
  return plan.columns.findIndex(({ field, path }) => field === '_id' && path === undefined);
}

export function keyColumn(plan: Plan): string {
  return plan.columns[keyIndex(plan)]?.column ?? '_id';
}

/** Whether rows can be looked up by the column. */
export async function hasIndexOn(client: pg.Client, plan: Plan, column: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = $1::regclass AND i.indisvalid AND i.indpred IS NULL AND a.attname = $2 LIMIT 1`,
    [qualifiedName(plan), column],
  );
  return (rowCount ?? 0) > 0;
}

export function isComparedAsText({ columns }: Plan, index: number): boolean {
  const column = columns[index];
  if (column === undefined) return false;
  const { type, target } = column;
  const kind = target?.element?.kind ?? target?.kind ?? columnTypes[type].kind;
  return valueKinds[kind].isComparedAsText === true;
}

/**
 * An SQL condition: whether two values of a column differ. Text is compared by bytes, since in some collations `a` equals `A`.
 * @param index of the column in `copyColumns`
 */
export function isDistinct(plan: Plan, index: number, expected: string, actual: string): string {
  return [expected, actual]
    .map((value) => (isComparedAsText(plan, index) ? `(${value})::text COLLATE "C"` : value))
    .join(' IS DISTINCT FROM ');
}
