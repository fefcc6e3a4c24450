/** The rows that a batch should have become, in a temporary table beside the target; and the key by which they are found. */

import pg from 'pg';
import type { Plan } from '../plan/plan.ts';
import { copyRows } from './copy.ts';
import { stageTypes } from './ddl.ts';
import type { LoadableBatch } from './load.ts';

export const expectedTable = 'pg_temp.mongo2pg_expected';

/** The rows as they should be, in a temporary table that is empty again after the transaction. */
export async function fillExpected(client: pg.Client, plan: Plan, encoded: LoadableBatch): Promise<void> {
  await fillTable(client, expectedTable, plan, encoded.copied > 0 ? encoded.copy : null);
}

/** @param copy null where there is no row */
export async function fillTable(
  client: pg.Client,
  name: string,
  plan: Plan,
  copy: Buffer | null,
): Promise<void> {
  const columns = stageTypes(plan)
    .map((type, index) => `c${index} ${type}`)
    .join(', ');
  const { rows } = await client.query<{ shape: string | null }>(
    `SELECT obj_description(to_regclass('${name}')) AS shape`,
  );
  // Another run has other columns.
  if (rows[0]?.shape !== columns) {
    await client.query(`DROP TABLE IF EXISTS ${name}`);
    await client.query(`CREATE TABLE ${name} (${columns}) ON COMMIT DELETE ROWS`);
    await client.query(`COMMENT ON TABLE ${name} IS ${pg.escapeLiteral(columns)}`);
  }
  if (copy !== null) await copyRows(client, `COPY ${name} FROM STDIN (FORMAT binary)`, copy);
}

/** The place of the key among `copyColumns`. */
export function keyIndex(plan: Plan): number {
  return plan.columns.findIndex(({ field, path }) => field === '_id' && path === undefined);
}

export function keyColumn(plan: Plan): string {
  return plan.columns[keyIndex(plan)]?.column ?? '_id';
}
