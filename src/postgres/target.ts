/** The target table of a run: what is in it before, made ready, and finished. */

import pg from 'pg';
import type { IfExists } from '../config.ts';
import { TargetError } from '../errors.ts';
import { columnTypes, type Plan } from '../plan/plan.ts';
import {
  addPrimaryKeyStatement,
  createTableStatement,
  hasPrimaryKey,
  qualifiedName,
  readTableColumns,
  type TableColumn,
} from './ddl.ts';
import { isTableOfARun } from './runs.ts';

/** For a session that builds an index: enough to sort millions of keys in memory, little enough for a small server. */
export const indexMemory = '256MB';

/**
 * Creates the table, or makes the one that is there ready. To be called in a transaction.
 * @returns whether the table is this tool's own: made now, or by an earlier run
 * @throws TargetError when the plan does not fit the table
 */
export async function prepareTarget(client: pg.Client, plan: Plan, ifExists: IfExists): Promise<boolean> {
  await client.query('SET LOCAL client_min_messages = warning');
  // Not IF NOT EXISTS alone: that asks for the right to create schemas even where the schema is there.
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [plan.schema]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS ${pg.escapeIdentifier(plan.schema)}`);
  if (ifExists === 'drop') await client.query(`DROP TABLE IF EXISTS ${qualifiedName(plan)}`);
  const columns = await readTableColumns(client, plan);
  if (columns === null) {
    await client.query(createTableStatement(plan));
    return true;
  }
  requireFit(plan, columns);
  if (ifExists === 'truncate') await client.query(`TRUNCATE ${qualifiedName(plan)}`);
  return await isTableOfARun(client, plan);
}

/** Builds the primary key. May be done again. */
export async function addPrimaryKey(client: pg.Client, plan: Plan): Promise<void> {
  if (await hasPrimaryKey(client, plan)) return;
  await client.query(`SET maintenance_work_mem = '${indexMemory}'`);
  await client.query(addPrimaryKeyStatement(plan));
  await client.query('RESET maintenance_work_mem');
}

/** Gathers statistics for the planner. */
export async function analyzeTable(client: pg.Client, plan: Plan): Promise<void> {
  await client.query(`ANALYZE ${qualifiedName(plan)}`);
}

function requireFit(plan: Plan, actual: readonly TableColumn[]): void {
  const wanted: TableColumn[] = plan.columns.map(({ column, type }) => ({ column, type: columnTypes[type] }));
  wanted.push({ column: plan.extraColumn, type: 'jsonb' });
  const misfits = wanted.flatMap(({ column, type }) => {
    const found = actual.find((other) => other.column === column);
    if (found === undefined) return [`"${column}" (${type}) is missing`];
    return found.type === type ? [] : [`"${column}" is ${found.type}, not ${type}`];
  });
  if (misfits.length === 0) return;
  throw new TargetError(
    `the table ${qualifiedName(plan)} does not fit the collection: ${misfits.join('; ')}`,
    {
      fix: 'use --if-exists drop to make it anew, or choose another POSTGRES_SCHEMA.',
    },
  );
}
