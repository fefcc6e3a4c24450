/** The target table of a run: what is in it before, made ready, and finished. */

import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import type { IfExists } from '../config.ts';
import { TargetError } from '../errors.ts';
import type { ExistingTable } from '../plan/column-target.ts';
import { columnTypes, isIdColumn, type Plan } from '../plan/plan.ts';
import {
  addChildKeyStatements,
  addPrimaryKeyStatement,
  createTableStatement,
  hasPrimaryKey,
  hasRows,
  qualifiedName,
  tablesOf,
} from './ddl.ts';
import { readTable } from './table.ts';

/** For a session that builds an index: enough to sort millions of keys in memory, little enough for a small server. */
export const indexMemory = '256MB';

/**
 * Creates the table, or makes the one that is there ready. To be called in a transaction.
 * @returns whether the table is this tool's own: made now, or by an earlier run
 * @param plan fitted to the table, if there is one
 * @throws TargetError when the table is not the one that the plan was made for
 */
export async function prepareTarget(client: pg.Client, plan: Plan, ifExists: IfExists): Promise<boolean> {
  await client.query('SET LOCAL client_min_messages = warning');
  // Not IF NOT EXISTS alone: that asks for the right to create schemas even where the schema is there.
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [plan.schema]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS ${pg.escapeIdentifier(plan.schema)}`);
  if (ifExists === 'drop') {
    // Together, as those of the children hang on that of the documents.
    const tables = [...tablesOf(plan), ...(await listFormerChildren(client, plan))].map(qualifiedName);
    await client.query(`DROP TABLE IF EXISTS ${[...new Set(tables)].join(', ')}`);
  }
  const table = await readTable(client, plan);
  if (table === null) {
    for (const part of tablesOf(plan)) {
      // An earlier process has emptied it, or nobody has.
      if (part !== plan && (await readTable(client, part)) !== null) throw refuseChild(part);
      await client.query(createTableStatement(part));
    }
    return true;
  }
  requireSame(plan, table);
  for (const { plan: child } of plan.children ?? []) {
    const childTable = await readTable(client, child);
    requireSame(child, childTable ?? { columns: [], isOwn: false });
    if (ifExists === 'fail' && (await hasRows(client, child))) throw refuseChild(child);
  }
  // Together, as those of the children hang on that of the documents.
  if (ifExists === 'truncate') await client.query(`TRUNCATE ${tablesOf(plan).map(qualifiedName).join(', ')}`);
  return table.isOwn;
}

/** The child tables that earlier runs have made, and that hang on this table still. */
async function listFormerChildren(
  client: pg.Client,
  { schema, table }: Plan,
): Promise<Pick<Plan, 'schema' | 'table'>[]> {
  const { rows } = await client.query<Pick<Plan, 'schema' | 'table'>>(
    `SELECT DISTINCT n.nspname AS schema, c.relname AS table
       FROM mongo2pg.runs r
       CROSS JOIN jsonb_array_elements(r.settings #> '{plan,children}') AS child
       JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = to_regclass(format('%I.%I', $1::text, $2::text))
       JOIN pg_class c ON c.oid = k.conrelid AND c.relname = child #>> '{plan,table}'
       JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = child #>> '{plan,schema}'
      WHERE r.table_schema = $1 AND r.table_name = $2`,
    [schema, table],
  );
  return rows;
}

function refuseChild(child: Plan): TargetError {
  return new TargetError(`the child table ${qualifiedName(child)} is there already`, {
    fix: 'say --if-exists, drop it, or give the child table another name in the plan.',
  });
}

/** Builds the primary keys. May be done again. */
export async function addPrimaryKey(client: pg.Client, plan: Plan): Promise<void> {
  if (!plan.columns.some(isIdColumn)) return;
  await client.query(`SET maintenance_work_mem = '${indexMemory}'`);
  if (!(await hasPrimaryKey(client, plan))) await client.query(addPrimaryKeyStatement(plan));
  for (const child of plan.children ?? []) {
    // The keys of a table that was there are somebody else's decision.
    if (child.plan.columns.some(({ target }) => target !== undefined)) continue;
    // Both or none: in one transaction, as several statements of one query are.
    if (await hasPrimaryKey(client, child.plan)) continue;
    await client.query(addChildKeyStatements(plan, child).join('; '));
  }
  await client.query('RESET maintenance_work_mem');
}

/** Gathers statistics for the planner. */
export async function analyzeTable(client: pg.Client, plan: Plan): Promise<void> {
  await client.query(`ANALYZE ${tablesOf(plan).map(qualifiedName).join(', ')}`);
}

/** The plan was made for a table that somebody else may have changed since. */
function requireSame(plan: Plan, { columns }: ExistingTable): void {
  const isSame = plan.columns.every(({ column, type, target }) => {
    const found = columns.find((other) => other.column === column);
    if (target !== undefined) return isDeepStrictEqual(found?.target, target);
    return found?.typeName === columnTypes[type];
  });
  const hasExtra = columns.some(
    ({ column, target }) => column === plan.extraColumn && target?.kind === 'jsonb',
  );
  if (isSame && (hasExtra || plan.extraColumn === null)) return;
  throw new TargetError(`the table ${qualifiedName(plan)} was changed while the run began`, {
    fix: 'start again, when nobody works on it.',
  });
}
