/** Finds surplus rows, which have no document, by collecting the keys of all documents in a separate table. */

import pg from 'pg';
import { listDescendants, type Plan } from '../../transcode/plan.ts';
import { explainDatabaseError } from '../connection/connection.ts';
import { copyColumns, stagedValues, stageTypes } from '../table/ddl.ts';
import { type ExpectedBatch, listStages, requireFit, withExpected } from './expected-documents.ts';
import { expectedTable, isComparedAsText, keyColumn, keyIndex } from './expected-rows.ts';
import type { Session } from '../connection/session.ts';
import { qualifiedName } from '../connection/relations.ts';
import { readDistribution } from '../table/distribution.ts';

/** A surplus row: its key belongs to no document, or occurs more than once. */
export interface ExtraRow {
  readonly kind: 'extra' | 'doubled';
  /** Null for NULL. */
  readonly key: string | null;
}

/** A row of a child table without a document. */
export interface OrphanedRow {
  readonly table: string;
  readonly key: string | null;
  /** Array positions, the outermost first. */
  readonly places: readonly (number | null)[];
}

const keysTable = (runId: string): string => `mongo2pg.verify_keys_${runId}`;

/** Takes the lock for collecting keys of the run, for as long as the connection lasts. @returns false if another session has it */
export async function claimKeys(client: pg.Client, runId: string): Promise<boolean> {
  const { rows } = await client.query<{ isOurs: boolean }>(
    'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS "isOurs"',
    [keysTable(runId)],
  );
  return rows[0]?.isOurs === true;
}

export async function releaseKeys(client: pg.Client, runId: string): Promise<void> {
  await client.query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [keysTable(runId)]);
}

/** To be called before keys are collected. Removes those that an earlier verification left. */
export async function createKeys(client: pg.Client, plan: Plan, runId: string): Promise<void> {
  await dropKeys(client, runId);
  const index = keyIndex(plan);
  const type = plan.columns[index]?.target?.cast ?? stageTypes(plan)[index] ?? 'text';
  await client.query(`CREATE UNLOGGED TABLE ${keysTable(runId)} (key ${type})`);
}

/** Can be repeated: collecting a key twice is harmless. @throws TargetError */
export async function collectKeys(session: Session, expected: ExpectedBatch, url: string): Promise<void> {
  const { plan, runId } = expected;
  try {
    await withExpected(session, expected, async (client, { unfit }) => {
      // A document that cannot be encoded has no key here.
      if (unfit.length === 0) await requireFit(client, listStages(plan));
      const key = stagedValues(plan)[keyIndex(plan)] ?? '';
      await client.query(`INSERT INTO ${keysTable(runId)} SELECT ${key} FROM ${expectedTable}`);
    });
  } catch (error) {
    throw explainDatabaseError(error, url);
  }
}

export async function findExtraRows(
  client: pg.Client,
  plan: Plan,
  runId: string,
  limit: number,
): Promise<ExtraRow[]> {
  await client.query(`ANALYZE ${keysTable(runId)}`);
  const key = `t.${pg.escapeIdentifier(keyColumn(plan))}`;
  const { rows } = await client.query<ExtraRow>(
    `SELECT 'extra' AS kind, ${key}::text AS key FROM ${qualifiedName(plan)} t
       LEFT JOIN ${await keysBeside(client, plan, runId)} k ON ${isSameKey(plan, key)} WHERE k.key IS NULL LIMIT $1`,
    [limit],
  );
  return rows;
}

/**
 * Deletes surplus rows, with their child rows. To be called in a transaction.
 * @returns how many were deleted
 */
export async function deleteExtraRows(
  client: pg.Client,
  plan: Plan,
  runId: string,
): Promise<{ readonly rows: number; readonly childRows: number }> {
  let childRows = 0;
  // Innermost tables first, since deleting parents may cascade to them, which would not be counted.
  for (const { child } of [...listDescendants(plan)].reverse()) {
    const key = `t.${pg.escapeIdentifier(copyColumns(child.plan)[0] ?? '')}`;
    const { rowCount } = await client.query(
      `DELETE FROM ${qualifiedName(child.plan)} t
        WHERE NOT EXISTS (SELECT FROM ${keysTable(runId)} k WHERE ${isSameKey(plan, key)})`,
    );
    childRows += rowCount ?? 0;
  }
  const key = `t.${pg.escapeIdentifier(keyColumn(plan))}`;
  const { rowCount } = await client.query(
    `DELETE FROM ${qualifiedName(plan)} t
      WHERE NOT EXISTS (SELECT FROM ${keysTable(runId)} k WHERE ${isSameKey(plan, key)})`,
  );
  return { rows: rowCount ?? 0, childRows };
}

/** Needs no keys. */
export async function findDoubledRows(client: pg.Client, plan: Plan, limit: number): Promise<ExtraRow[]> {
  const key = pg.escapeIdentifier(keyColumn(plan));
  const { rows } = await client.query<ExtraRow>(
    `SELECT 'doubled' AS kind, ${key}::text AS key FROM ${qualifiedName(plan)}
      GROUP BY ${key} HAVING count(*) > 1 LIMIT $1`,
    [limit],
  );
  return rows;
}

/** Rows of child tables whose document does not exist, or has no row. */
export async function findOrphanedRows(
  client: pg.Client,
  plan: Plan,
  runId: string,
  limit: number,
): Promise<OrphanedRow[]> {
  const found: OrphanedRow[] = [];
  const parentKey = `p.${pg.escapeIdentifier(keyColumn(plan))}`;
  const keys = await keysBeside(client, plan, runId);
  for (const { child, keyLength } of listDescendants(plan)) {
    const names = copyColumns(child.plan).slice(0, keyLength);
    const [key = '', ...places] = names.map((column) => `t.${pg.escapeIdentifier(column)}`);
    const orphaned = `SELECT $2 AS "table", ${key}::text AS key, ARRAY[${places.join(', ')}] AS places FROM ${qualifiedName(child.plan)} t`;
    // Two conditions, so that each becomes a hash join. As one, they would look up row by row.
    const { rows } = await client.query<OrphanedRow>(
      `(${orphaned} LEFT JOIN ${keys} k ON ${isSameKey(plan, key)} WHERE k.key IS NULL LIMIT $1)
        UNION
       (${orphaned} WHERE NOT EXISTS (SELECT FROM ${qualifiedName(plan)} p WHERE ${parentKey} = ${key}) LIMIT $1)
        ORDER BY 2, 3 LIMIT $1`,
      [limit - found.length, child.plan.table],
    );
    found.push(...rows);
  }
  return found;
}

export async function dropKeys(client: pg.Client, runId: string): Promise<void> {
  await client.query(`DROP TABLE IF EXISTS ${keysTable(runId)}`);
}

/** The keys as a table expression for joins. In a subquery, Citus sends them to the nodes. */
async function keysBeside(client: pg.Client, plan: Plan, runId: string): Promise<string> {
  if ((await readDistribution(client, plan)) === null) return keysTable(runId);
  // More than its limit of 1 GB, which is about 20 million keys.
  await client.query('SET citus.max_intermediate_result_size = -1');
  return `(SELECT key FROM ${keysTable(runId)} OFFSET 0)`;
}

/** Text is compared by bytes, as in the comparison. */
function isSameKey(plan: Plan, key: string): string {
  const isText = isComparedAsText(plan, keyIndex(plan));
  return `k.key = ${key}${isText ? ` AND k.key::text COLLATE "C" = ${key}::text COLLATE "C"` : ''}`;
}
