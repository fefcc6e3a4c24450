/** Finds rows of the table that no document stands for, by collecting the keys of all documents beside it. */

import pg from 'pg';
import type { Plan } from '../plan/plan.ts';
import { qualifiedName, stagedValues, stageTypes } from './ddl.ts';
import { fillExpected, keyColumn, keyIndex } from './expected-rows.ts';
import type { LoadableBatch } from './load.ts';
import type { Session } from './session.ts';

/** A row too many: its key is of no document, or stands there more than once. */
export interface ExtraRow {
  readonly kind: 'extra' | 'doubled';
  readonly key: string;
}

const keysTable = (runId: string): string => `mongo2pg.verify_keys_${runId}`;

/** To be called before the keys are collected; what an earlier verification left is removed. */
export async function createKeys(client: pg.Client, plan: Plan, runId: string): Promise<void> {
  await dropKeys(client, runId);
  const index = keyIndex(plan);
  const type = plan.columns[index]?.target?.cast ?? stageTypes(plan)[index] ?? 'text';
  await client.query(`CREATE UNLOGGED TABLE ${keysTable(runId)} (key ${type})`);
}

/** May be done again: a key that is there twice stands for its document as well. */
export async function collectKeys(
  session: Session,
  plan: Plan,
  runId: string,
  encoded: LoadableBatch,
): Promise<void> {
  await session.transaction(async (client) => {
    await fillExpected(client, plan, encoded);
    await client.query(
      `INSERT INTO ${keysTable(runId)} SELECT ${stagedValues(plan)[keyIndex(plan)] ?? ''} FROM pg_temp.mongo2pg_expected`,
    );
  });
}

export async function findExtraRows(
  client: pg.Client,
  plan: Plan,
  runId: string,
  limit: number,
): Promise<ExtraRow[]> {
  const table = qualifiedName(plan);
  const key = pg.escapeIdentifier(keyColumn(plan));
  await client.query(`ANALYZE ${keysTable(runId)}`);
  const { rows } = await client.query<ExtraRow>(
    `(SELECT 'extra' AS kind, ${key}::text AS key FROM ${table} t
       WHERE NOT EXISTS (SELECT FROM ${keysTable(runId)} k WHERE k.key = t.${key}) LIMIT $1)
     UNION ALL
     (SELECT 'doubled', ${key}::text FROM ${table} GROUP BY ${key} HAVING count(*) > 1 LIMIT $1)
     LIMIT $1`,
    [limit],
  );
  return rows;
}

export async function dropKeys(client: pg.Client, runId: string): Promise<void> {
  await client.query(`DROP TABLE IF EXISTS ${keysTable(runId)}`);
}
