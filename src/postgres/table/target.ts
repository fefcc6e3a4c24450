/** The target table of a run: checks for obstacles, prepares the table, and finishes it. */

import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import type { IfExists } from '../../config/config.ts';
import { TargetError } from '../../common/errors.ts';
import type { ExistingTable } from '../../transcode/column-target.ts';
import { isIdColumn, type Plan } from '../../transcode/plan.ts';
import {
  addChildKeyStatements,
  addPrimaryKeyStatement,
  analyzeStatement,
  createTableStatement,
  hasPrimaryKey,
  keyCountStatement,
  listKeyedChildren,
  tablesOf,
} from './ddl.ts';
import { describeDuplicates } from './duplicates.ts';
import { distributeTables } from './distribution.ts';
import { hasLedger } from '../ledger/ledger.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import { requireUnshared } from './shared-tables.ts';
import { requirePartitionNames } from './partitions.ts';
import type { TableName } from '../connection/relations.ts';
import { readTable } from './table.ts';
import { sqlTypeOf } from '../../transcode/column-types/of-column.ts';
import { createSchema, hasRows, hasTable, qualifiedName } from '../connection/relations.ts';

const uniqueViolation = '23505';

/** Enough to sort millions of keys in memory, and acceptable for a small server. */
const leastIndexMemoryKb = 256 * 1024;

/** reltuples is a float4, which represents all integers below this one exactly. */
const maxExactCount = 2 ** 24;

/** For a session that builds an index. A larger value of the server is kept. */
export async function raiseIndexMemory(client: pg.Client): Promise<void> {
  await client.query(
    `SELECT set_config(name, greatest(setting::integer, $1) || 'kB', false)
       FROM pg_settings WHERE name = 'maintenance_work_mem'`,
    [leastIndexMemoryKb],
  );
}

/**
 * Creates the table, or prepares the existing one. To be called in a transaction.
 * @param plan fitted to the table, if it exists
 * @param isDistributed whether a new table is distributed over nodes
 * @returns whether this tool created the table, now or in an earlier run
 * @throws TargetError when the table is not the one that the plan was made for
 */
export async function prepareTarget(
  client: pg.Client,
  plan: Plan,
  ifExists: IfExists,
  isDistributed = false,
): Promise<boolean> {
  await client.query('SET LOCAL client_min_messages = warning');
  await createSchema(client, plan.schema);
  await requirePlace(client, plan, ifExists);
  if (ifExists === 'drop') {
    // In one statement, since child tables reference the main table.
    const tables = await listDropped(client, plan);
    if (tables.length > 0) await client.query(`DROP TABLE ${tables.map(qualifiedName).join(', ')}`);
  }
  const table = await readTable(client, plan);
  if (table === null) {
    for (const part of tablesOf(plan)) await client.query(createTableStatement(part));
    if (isDistributed) await distributeTables(client, plan);
    return true;
  }
  requireSame(plan, table);
  for (const child of tablesOf(plan).slice(1)) {
    requireSame(child, (await readTable(client, child)) ?? { columns: [], isOwn: false });
  }
  // In one statement, since child tables reference the main table.
  if (ifExists === 'truncate') await client.query(`TRUNCATE ${tablesOf(plan).map(qualifiedName).join(', ')}`);
  return table.isOwn;
}

/** The tables that `--if-exists drop` drops: existing tables of the plan, and child tables of earlier runs. */
export async function listDropped(client: pg.Client, plan: Plan): Promise<TableName[]> {
  const there: TableName[] = [];
  for (const { schema, table } of tablesOf(plan)) {
    if (await hasTable(client, { schema, table })) there.push({ schema, table });
  }
  if (!(await hasLedger(client))) return there;
  const former = await listEarlierChildren(client, plan);
  const isNew = (other: TableName): boolean =>
    !there.some((table) => qualifiedName(table) === qualifiedName(other));
  return [...there, ...former.filter(isNew)];
}

/**
 * Checks that Postgres can drop, truncate and create the tables.
 * @throws TargetError that names the obstacle
 */
export async function requirePlace(client: pg.Client, plan: Plan, ifExists: IfExists): Promise<void> {
  if (ifExists === 'drop' || ifExists === 'truncate') await requireUnshared(client, plan);
  if (ifExists === 'drop') {
    const tables = await listDropped(client, plan);
    for (const table of tables) await requireOrdinary(client, table);
    refuseDependents(plan, 'dropped', await listDependents(client, tables));
    await requirePartitionNames(client, plan, tables);
    return;
  }
  if (!(await hasTable(client, plan))) {
    await requirePartitionNames(client, plan, []);
    for (const child of tablesOf(plan).slice(1)) {
      // An earlier process has truncated it if it had to.
      if (await hasTable(client, child)) throw refuseChild(child);
    }
  } else if (ifExists === 'truncate') {
    refuseDependents(plan, 'emptied', await listReferences(client, tablesOf(plan)));
  } else if (ifExists === 'fail') {
    for (const child of tablesOf(plan).slice(1)) {
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
  throw new TargetError(`${qualifiedName(table)} cannot be dropped: it is not an ordinary table`, {
    code: 'NOT_A_TABLE',
    fix: 'drop it by hand, or choose another POSTGRES_SCHEMA.',
  });
}

/** Objects that depend on the tables and would be dropped with them: views, foreign keys of other tables. */
async function listDependents(client: pg.Client, tables: readonly TableName[]): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `WITH named AS (
       SELECT c.oid, c.reltype FROM jsonb_to_recordset($1) AS d(schema text, "table" text)
         JOIN pg_namespace n ON n.nspname = d.schema
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = d."table"),
     dropped AS (
       SELECT oid, reltype FROM named
       UNION
       SELECT c.oid, c.reltype FROM named, pg_partition_tree(named.oid) JOIN pg_class c ON c.oid = relid)
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

/** Foreign keys of other tables, which prevent truncating these tables alone. */
async function listReferences(client: pg.Client, tables: readonly TableName[]): Promise<string[]> {
  const { rows } = await client.query<{ what: string }>(
    `WITH named AS (
       SELECT c.oid FROM jsonb_to_recordset($1) AS e(schema text, "table" text)
         JOIN pg_namespace n ON n.nspname = e.schema
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = e."table"),
     emptied AS (
       SELECT oid FROM named
       UNION
       SELECT relid FROM named, pg_partition_tree(named.oid))
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

/** Child tables that earlier runs have created, and that still reference this table or each other. */
async function listEarlierChildren(client: pg.Client, { schema, table }: Plan): Promise<TableName[]> {
  const { rows } = await client.query<TableName>(
    `WITH RECURSIVE child AS (
       SELECT table_schema, table_name, jsonb_array_elements(settings #> '{plan,children}') AS child
         FROM mongo2pg.runs WHERE table_schema = $1 AND table_name = $2
       UNION
       SELECT table_schema, table_name, jsonb_array_elements(child #> '{plan,children}') FROM child),
     hanging AS (
       SELECT to_regclass(format('%I.%I', $1::text, $2::text))::oid AS oid
       UNION
       SELECT c.oid FROM hanging h
         JOIN pg_constraint k ON k.contype = 'f' AND k.confrelid = h.oid
         JOIN pg_class c ON c.oid = k.conrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE EXISTS (SELECT FROM child
                       WHERE c.relname = child #>> '{plan,table}' AND n.nspname = child #>> '{plan,schema}'))
     SELECT n.nspname AS schema, c.relname AS table
       FROM hanging JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE (n.nspname, c.relname) <> ($1, $2)`,
    [schema, table],
  );
  return rows;
}

function refuseChild(child: Plan): TargetError {
  return new TargetError(`the child table ${qualifiedName(child)} already exists`, {
    code: 'CHILD_TABLE_EXISTS',
    fix: 'set --if-exists, drop it, or give the child table another name in the plan.',
  });
}

/** How many rows each table had when its key was built, by qualified name. */
export type KeyCounts = ReadonlyMap<string, number>;

/**
 * Builds the primary key of each unpartitioned table that has none. Can be repeated.
 * @returns row counts of the tables whose keys were built now
 */
export async function addPrimaryKey(client: pg.Client, plan: Plan): Promise<KeyCounts> {
  const counts = new Map<string, number>();
  if (!plan.columns.some(isIdColumn)) return counts;
  await raiseIndexMemory(client);
  if (!(await hasPrimaryKey(client, plan))) {
    try {
      await buildKey(client, counts, plan, [addPrimaryKeyStatement(plan)]);
    } catch (error) {
      throw await explainKeyFailure(client, plan, error);
    }
  }
  for (const child of listKeyedChildren(plan)) {
    if (await hasPrimaryKey(client, child.child.plan)) continue;
    await buildKey(client, counts, child.child.plan, addChildKeyStatements(child));
  }
  await client.query('RESET maintenance_work_mem');
  return counts;
}

async function buildKey(
  client: pg.Client,
  counts: Map<string, number>,
  table: TableName,
  statements: readonly string[],
): Promise<void> {
  const count = await runCounting(client, table, statements);
  if (count !== null) counts.set(qualifiedName(table), count);
}

/** Runs the statements atomically. @returns how many rows the table had; null if there are too many for an exact count */
export async function runCounting(
  client: pg.Client,
  table: TableName,
  statements: readonly string[],
): Promise<number | null> {
  // Several statements in one query are one transaction.
  const sql = [...statements, keyCountStatement(table)].join('; ');
  const results = (await client.query<{ count: number }>(sql)) as unknown as pg.QueryResult<{
    count: number;
  }>[];
  const count = results.at(-1)?.rows[0]?.count;
  return count !== undefined && count < maxExactCount ? count : null;
}

/**
 * @returns a TargetError if the table's rows do not allow the key: older rows, or documents that a dump has twice. Other reasons
 * were excluded when the run's rows were loaded.
 */
export async function explainKeyFailure(client: pg.Client, plan: Plan, error: unknown): Promise<unknown> {
  if (!isRefusal(error)) return error;
  const detail = error.detail === undefined ? '' : ` (${error.detail})`;
  const duplicates = error.code === uniqueViolation ? await describeDuplicates(client, plan) : '';
  return new TargetError(
    `the primary key of ${qualifiedName(plan)} cannot be built: ${error.message}${detail}${duplicates}`,
    {
      code: 'PRIMARY_KEY_FAILED',
      fix:
        plan.transform === undefined
          ? 'change the key of that row, and run the same command again: all rows are loaded, and only the key is missing.'
          : 'the transform may give several documents the same _id: correct it, and start from scratch with --restart.',
      cause: error,
    },
  );
}

/** Gathers statistics for the planner. */
export async function analyzeTable(client: pg.Client, plan: Plan): Promise<void> {
  await client.query(analyzeStatement(plan));
}

/** Another session may have changed the table since the plan was made. */
function requireSame(plan: Plan, { columns }: ExistingTable): void {
  const isSame = plan.columns.every((planned) => {
    const { column, target } = planned;
    const found = columns.find((other) => other.column === column);
    if (target !== undefined) return isDeepStrictEqual(found?.target, target);
    return found?.typeName === sqlTypeOf(planned);
  });
  const hasExtra = columns.some(
    ({ column, target }) => column === plan.extraColumn && target?.kind === 'jsonb',
  );
  if (isSame && (hasExtra || plan.extraColumn === null)) return;
  throw new TargetError(`the table ${qualifiedName(plan)} was changed while the run started`, {
    code: 'TABLE_CHANGED',
    fix: 'run the same command again when no other session changes it.',
  });
}
