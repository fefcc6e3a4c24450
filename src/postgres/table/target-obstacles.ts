/** What can prevent the target tables of a run from being dropped, truncated or created. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { IfExists } from '../../config/config.ts';
import type { Plan } from '../../transcode/plan.ts';
import { inOneTrip } from '../connection/one-trip.ts';
import { hasRows, hasTable, listExisting, qualifiedName, type TableName } from '../connection/relations.ts';
import { hasLedger } from '../ledger/ledger.ts';
import { tablesOf } from './ddl.ts';
import { requirePartitionNames } from './partitions.ts';
import { requireUnshared } from './shared-tables.ts';

/** The tables that `--if-exists drop` drops: existing tables of the plan, and child tables of earlier runs. */
export async function listDropped(client: pg.Client, plan: Plan): Promise<TableName[]> {
  const hasRuns = await hasLedger(client);
  const [there, former] = await inOneTrip(
    client,
    () => listExisting(client, tablesOf(plan)),
    async () => (hasRuns ? await listEarlierChildren(client, plan) : []),
  );
  const isNew = (other: TableName): boolean =>
    !there.some((table) => qualifiedName(table) === qualifiedName(other));
  return [...there, ...former.filter(isNew)];
}

/**
 * Checks that Postgres can drop, truncate and create the tables.
 * @param dropped tables that are dropped first: see `listDropped`
 * @throws TargetError that names the obstacle
 */
export async function requirePlace(
  client: pg.Client,
  plan: Plan,
  ifExists: IfExists,
  dropped: readonly TableName[],
): Promise<void> {
  if (ifExists === 'drop' || ifExists === 'truncate') await requireUnshared(client, plan);
  if (ifExists === 'drop') {
    const [, dependents] = await inOneTrip(
      client,
      () => requireOrdinary(client, dropped),
      () => listDependents(client, dropped),
    );
    refuseDependents(plan, 'dropped', dependents);
    await requirePartitionNames(client, plan, dropped);
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

async function requireOrdinary(client: pg.Client, tables: readonly TableName[]): Promise<void> {
  const { rows } = await client.query<TableName>(
    `SELECT w.schema, w.table FROM jsonb_to_recordset($1) AS w(schema text, "table" text)
       JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.table
      WHERE c.relkind NOT IN ('r', 'p') ORDER BY 1, 2 LIMIT 1`,
    [JSON.stringify(tables)],
  );
  const [table] = rows;
  if (table === undefined) return;
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
