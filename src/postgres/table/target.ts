/** The target table of a run: what is in it before, made ready, and finished. */

import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import type { IfExists } from '../../config/config.ts';
import { TargetError } from '../../common/errors.ts';
import type { ExistingTable } from '../../transcode/column-target.ts';
import { isIdColumn, type Plan } from '../../transcode/plan.ts';
import {
  addChildKeyStatements,
  addPrimaryKeyStatement,
  createTableStatement,
  hasPrimaryKey,
  listKeyedChildren,
  tablesOf,
} from './ddl.ts';
import { describeDuplicates } from './duplicates.ts';
import { hasLedger } from '../ledger/ledger.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import { readTable, type TableName } from './table.ts';
import { columnTypes } from '../../transcode/column-types.ts';
import { createSchema, hasRows, hasTable, qualifiedName } from '../connection/relations.ts';

const uniqueViolation = '23505';

/** Enough to sort millions of keys in memory, little enough for a small server. */
const leastIndexMemoryKb = 256 * 1024;

/** For a session that builds an index. A server that is set up for more keeps that. */
export async function raiseIndexMemory(client: pg.Client): Promise<void> {
  await client.query(
    `SELECT set_config(name, greatest(setting::integer, $1) || 'kB', false)
       FROM pg_settings WHERE name = 'maintenance_work_mem'`,
    [leastIndexMemoryKb],
  );
}

/**
 * Creates the table, or makes the one that is there ready. To be called in a transaction.
 * @returns whether the table is this tool's own: made now, or by an earlier run
 * @param plan fitted to the table, if there is one
 * @throws TargetError when the table is not the one that the plan was made for
 */
export async function prepareTarget(client: pg.Client, plan: Plan, ifExists: IfExists): Promise<boolean> {
  await client.query('SET LOCAL client_min_messages = warning');
  await createSchema(client, plan.schema);
  await requirePlace(client, plan, ifExists);
  if (ifExists === 'drop') {
    // Together, as those of the children hang on that of the documents.
    const tables = await listDropped(client, plan);
    if (tables.length > 0) await client.query(`DROP TABLE ${tables.map(qualifiedName).join(', ')}`);
  }
  const table = await readTable(client, plan);
  if (table === null) {
    for (const part of tablesOf(plan)) await client.query(createTableStatement(part));
    return true;
  }
  requireSame(plan, table);
  for (const { plan: child } of plan.children ?? []) {
    requireSame(child, (await readTable(client, child)) ?? { columns: [], isOwn: false });
  }
  // Together, as those of the children hang on that of the documents.
  if (ifExists === 'truncate') await client.query(`TRUNCATE ${tablesOf(plan).map(qualifiedName).join(', ')}`);
  return table.isOwn;
}

/** The tables that `--if-exists drop` drops: those of the plan that are there, and the children of earlier runs. */
export async function listDropped(client: pg.Client, plan: Plan): Promise<TableName[]> {
  const there: TableName[] = [];
  for (const { schema, table } of tablesOf(plan)) {
    if (await hasTable(client, { schema, table })) there.push({ schema, table });
  }
  if (!(await hasLedger(client))) return there;
  const former = await listFormerChildren(client, plan);
  const isNew = (other: TableName): boolean =>
    !there.some((table) => qualifiedName(table) === qualifiedName(other));
  return [...there, ...former.filter(isNew)];
}

/**
 * Looks for what Postgres would refuse to drop, to empty or to make.
 * @throws TargetError that says what is in the way
 */
export async function requirePlace(client: pg.Client, plan: Plan, ifExists: IfExists): Promise<void> {
  if (ifExists === 'drop') {
    const tables = await listDropped(client, plan);
    for (const table of tables) await requireOrdinary(client, table);
    refuseDependents(plan, 'dropped', await listDependents(client, tables));
    return;
  }
  if (!(await hasTable(client, plan))) {
    for (const { plan: child } of plan.children ?? []) {
      // An earlier process has emptied it, or nobody has.
      if (await hasTable(client, child)) throw refuseChild(child);
    }
  } else if (ifExists === 'truncate') {
    refuseDependents(plan, 'emptied', await listReferences(client, tablesOf(plan)));
  } else if (ifExists === 'fail') {
    for (const { plan: child } of plan.children ?? []) {
      if (await hasRows(client, child)) throw refuseChild(child);
    }
  }
}

async function requireOrdinary(client: pg.Client, table: TableName): Promise<void> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`,
    [table.schema, table.table],
  );
  if (rowCount !== 0) return;
  throw new TargetError(`${qualifiedName(table)} cannot be dropped: it is no ordinary table`, {
    code: 'NOT_A_TABLE',
    fix: 'drop it by hand, or choose another POSTGRES_SCHEMA.',
  });
}

/** What would be lost with the tables and is not part of them: views, foreign keys of other tables. */
async function listDependents(client: pg.Client, tables: readonly TableName[]): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `WITH dropped AS (
       SELECT c.oid, c.reltype FROM jsonb_to_recordset($1) AS d(schema text, "table" text)
         JOIN pg_namespace n ON n.nspname = d.schema
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = d."table")
     SELECT DISTINCT pg_describe_object(classid, objid, 0) AS what
       FROM pg_depend d
      WHERE deptype = 'n'
        AND (refclassid = 'pg_class'::regclass AND refobjid IN (SELECT oid FROM dropped)
          OR refclassid = 'pg_type'::regclass AND refobjid IN (SELECT reltype FROM dropped))
        AND NOT EXISTS (
          SELECT FROM pg_depend own
           WHERE own.classid = d.classid AND own.objid = d.objid AND own.deptype <> 'n'
             AND own.refclassid = 'pg_class'::regclass AND own.refobjid IN (SELECT oid FROM dropped))
      ORDER BY 1`,
    [JSON.stringify(tables)],
  );
  return rows.map(({ what }) => what);
}

/** Foreign keys of other tables, which keep these from being emptied alone. */
async function listReferences(client: pg.Client, tables: readonly TableName[]): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `WITH emptied AS (
       SELECT c.oid FROM jsonb_to_recordset($1) AS e(schema text, "table" text)
         JOIN pg_namespace n ON n.nspname = e.schema
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = e."table")
     SELECT pg_describe_object('pg_constraint'::regclass, oid, 0) AS what
       FROM pg_constraint
      WHERE contype = 'f' AND confrelid IN (SELECT oid FROM emptied) AND conrelid NOT IN (SELECT oid FROM emptied)
      ORDER BY 1`,
    [JSON.stringify(tables.map(({ schema, table }) => ({ schema, table })))],
  );
  return rows.map(({ what }) => what);
}

function refuseDependents(plan: Plan, what: 'dropped' | 'emptied', dependents: readonly string[]): void {
  if (dependents.length === 0) return;
  throw new TargetError(
    `the table ${qualifiedName(plan)} cannot be ${what}: on it depends ${dependents.join('; ')}`,
    { code: 'TABLE_HAS_DEPENDENTS', fix: 'drop that first, or choose another POSTGRES_SCHEMA.' },
  );
}

/** The child tables that earlier runs have made, and that hang on this table still. */
async function listFormerChildren(client: pg.Client, { schema, table }: Plan): Promise<TableName[]> {
  const { rows } = await client.query<TableName>(
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
  return new TargetError(`the child table ${qualifiedName(child)} already exists`, {
    code: 'CHILD_TABLE_EXISTS',
    fix: 'say --if-exists, drop it, or give the child table another name in the plan.',
  });
}

/** Builds the primary keys. May be done again. */
export async function addPrimaryKey(client: pg.Client, plan: Plan): Promise<void> {
  if (!plan.columns.some(isIdColumn)) return;
  await raiseIndexMemory(client);
  if (!(await hasPrimaryKey(client, plan))) await buildKey(client, plan);
  for (const child of listKeyedChildren(plan)) {
    // Both or none: in one transaction, as several statements of one query are.
    if (await hasPrimaryKey(client, child.plan)) continue;
    await client.query(addChildKeyStatements(plan, child).join('; '));
  }
  await client.query('RESET maintenance_work_mem');
}

/**
 * @throws TargetError when the table's rows do not allow it: those from before, or documents that a dump has twice. What
 * else the run's own may have been refused for was looked at before.
 */
async function buildKey(client: pg.Client, plan: Plan): Promise<void> {
  try {
    await client.query(addPrimaryKeyStatement(plan));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const detail = error.detail === undefined ? '' : ` (${error.detail})`;
    const duplicates = error.code === uniqueViolation ? await describeDuplicates(client, plan) : '';
    throw new TargetError(
      `the primary key of ${qualifiedName(plan)} cannot be built: ${error.message}${detail}${duplicates}`,
      {
        code: 'PRIMARY_KEY_FAILED',
        fix: 'change the key of the row that is meant, and run the same command again: all is loaded, and only the key is missing.',
        cause: error,
      },
    );
  }
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
  throw new TargetError(`the table ${qualifiedName(plan)} was changed while the run started`, {
    code: 'TABLE_CHANGED',
    fix: 'start again when nothing else changes it.',
  });
}
