/**
 * Checks what a run needs in its target: privileges, and free names. Checked before anything is written, so that a start is refused
 * at once, and not by Postgres after the load.
 */

import type pg from 'pg';
import type { IfExists } from '../../config/config.ts';
import { TargetError } from '../../common/errors.ts';
import type { PlannedIndex } from '../../plan/indexes/index-plan.ts';
import { isIdColumn, type Plan } from '../../transcode/plan.ts';
import { hasIndex } from './create-index.ts';
import { copyColumns, hasPrimaryKey, listKeyedChildren, tablesOf } from './ddl.ts';
import { listDropped, requirePlace } from './target-obstacles.ts';
import { inOneTrip } from '../connection/one-trip.ts';
import { hasTable } from '../connection/relations.ts';

export interface TargetUse {
  readonly plan: Plan;
  /** What happens to an existing table; `continue`: nothing, since the run has begun already. */
  readonly ifExists: IfExists | 'continue';
  /** This tool created the table or will create it: the table gets its key and indexes. */
  readonly isOwnTable: boolean;
  /** The indexes that the table will have. */
  readonly indexes: readonly PlannedIndex[];
  /** Whether the rows are compared with the documents afterwards. */
  readonly isVerified: boolean;
  /** Whether the run is part of a job. */
  readonly isInJob: boolean;
}

/** What a run will do to its table. */
export interface TargetWork {
  /** Tables that are dropped first. */
  readonly dropped: readonly Pick<Plan, 'schema' | 'table'>[];
  readonly isTruncated: boolean;
  /** The tables of the plan do not exist yet. */
  readonly isNew: boolean;
  readonly needsKey: boolean;
  /** Indexes that do not exist yet. */
  readonly indexes: readonly PlannedIndex[];
  /** Missing privileges that are needed only in some cases. */
  readonly notices: readonly string[];
}

/** @throws TargetError that lists all missing privileges, or names an obstacle */
export async function requireTarget(client: pg.Client, use: TargetUse): Promise<TargetWork> {
  const { plan, ifExists } = use;
  const isDropped = ifExists === 'drop';
  const [isThere, dropped] = await inOneTrip(
    client,
    () => hasTable(client, plan),
    async () => (isDropped ? await listDropped(client, plan) : []),
  );
  const work = {
    dropped,
    isTruncated: isThere && ifExists === 'truncate',
    isNew: isDropped || !isThere,
    ...(await listBuilt(client, use, isDropped || !isThere)),
  };
  const [ledgerLacks, tableLacks, mayStage] = await inOneTrip(
    client,
    () => listMissingLedgerPrivileges(client, use),
    () => listMissingTablePrivileges(client, use, work),
    mayMakeTemporaryTables,
  );
  const lacks = [...ledgerLacks, ...tableLacks];
  if (use.isVerified && !mayStage) lacks.push(temporaryTables);
  if (lacks.length > 0) {
    throw new TargetError(`the user may not ${lacks.join('; nor ')}`, {
      code: 'POSTGRES_RIGHTS',
      fix: 'grant the rights, or use another user.',
    });
  }
  if (ifExists !== 'continue') await requirePlace(client, plan, ifExists, dropped);
  const notices = mayStage
    ? []
    : [`the user may not ${temporaryTables}: the first row that Postgres rejects ends the run`];
  return { ...work, notices };
}

const temporaryTables =
  'create temporary tables, from which rejected rows are found (GRANT TEMPORARY ON DATABASE …)';

export async function mayMakeTemporaryTables(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(
    `SELECT has_database_privilege(current_database(), 'TEMPORARY') AS may`,
  );
  return rows[0]?.may === true;
}

async function listBuilt(
  client: pg.Client,
  { plan, isOwnTable, indexes }: TargetUse,
  isNew: boolean,
): Promise<Pick<TargetWork, 'needsKey' | 'indexes'>> {
  if (!isOwnTable) return { needsKey: false, indexes: [] };
  const hasKey = plan.columns.some(isIdColumn);
  if (isNew) return { needsKey: hasKey, indexes };
  const missing: PlannedIndex[] = [];
  for (const index of indexes) if (!(await hasIndex(client, index.table, index.name))) missing.push(index);
  let needsKey = false;
  const keyed = hasKey ? [plan, ...listKeyedChildren(plan).map(({ child }) => child.plan)] : [];
  for (const part of keyed) needsKey ||= !(await hasPrimaryKey(client, part));
  return { needsKey, indexes: missing };
}

async function listMissingLedgerPrivileges(
  client: pg.Client,
  { isInJob }: Pick<TargetUse, 'isInJob'>,
): Promise<string[]> {
  const { rows } = await client.query<{ missing: string }>(
    `WITH ledger AS (SELECT oid, nspowner FROM pg_namespace WHERE nspname = 'mongo2pg'),
     needed AS (
       SELECT c.oid, privilege
         FROM (VALUES ('runs', 'INSERT'), ('runs', 'UPDATE'), ('runs', 'SELECT'),
                      ('phases', 'INSERT'), ('phases', 'UPDATE'), ('phases', 'SELECT'),
                      ('ranges', 'INSERT'), ('ranges', 'UPDATE'), ('ranges', 'SELECT'),
                      ('batches', 'INSERT'), ('batches', 'UPDATE'), ('batches', 'SELECT'),
                      ('dead_letters', 'INSERT'), ('dead_letters', 'SELECT'),
                      ('jobs', 'INSERT'), ('jobs', 'UPDATE'), ('jobs', 'SELECT'),
                      ('job_collections', 'INSERT'), ('job_collections', 'UPDATE'),
                      ('job_collections', 'SELECT')) AS v(name, privilege)
         JOIN pg_class c ON c.relname = v.name
         JOIN ledger ON ledger.oid = c.relnamespace
        WHERE v.name NOT IN ('jobs', 'job_collections') OR $1)
     SELECT 'create the ledger''s schema in the database (GRANT CREATE ON DATABASE …)' AS missing
      WHERE NOT EXISTS (SELECT FROM ledger) AND NOT has_database_privilege(current_database(), 'CREATE')
     UNION ALL
     SELECT 'create the ledger in the schema mongo2pg, of which the user is not the owner (ALTER SCHEMA mongo2pg OWNER TO …)'
       FROM ledger WHERE NOT EXISTS (SELECT FROM needed) AND NOT pg_has_role(nspowner, 'USAGE')
     UNION ALL
     SELECT 'write to the ledger (GRANT USAGE ON SCHEMA mongo2pg …; GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA mongo2pg …)'
       FROM ledger WHERE EXISTS (SELECT FROM needed)
        AND NOT (has_schema_privilege(ledger.oid, 'USAGE')
                 AND (SELECT bool_and(has_table_privilege(oid, privilege)) FROM needed))`,
    [isInJob],
  );
  return rows.map(({ missing }) => missing);
}

/** By the catalog and not by name: resolving a name fails without USAGE on its schema. */
async function listMissingTablePrivileges(
  client: pg.Client,
  { plan, isVerified }: TargetUse,
  { dropped, isTruncated, isNew, needsKey, indexes }: Omit<TargetWork, 'notices'>,
): Promise<string[]> {
  const isBuilt = needsKey || indexes.length > 0;
  const parts = tablesOf(plan).map((part) => ({
    schema: part.schema,
    table: part.table,
    columns: copyColumns(part),
  }));
  const { rows } = await client.query<{ missing: string }>(
    `WITH part AS (
       SELECT format('%I.%I', w.schema, w."table") AS name, w.schema, columns, n.oid AS schema_oid, c.oid, c.relowner
         FROM jsonb_to_recordset($1) AS w(schema text, "table" text, columns text[])
         LEFT JOIN pg_namespace n ON n.nspname = w.schema
         LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w."table"),
     place AS (SELECT DISTINCT schema, schema_oid FROM part),
     kept AS (SELECT * FROM part WHERE oid IS NOT NULL AND NOT $2),
     dropped AS (
       SELECT format('%I.%I', d.schema, d."table") AS name, c.relowner, n.nspowner
         FROM jsonb_to_recordset($3) AS d(schema text, "table" text)
         JOIN pg_namespace n ON n.nspname = d.schema
         JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = d."table")
     SELECT format('create the schema %I in the database (GRANT CREATE ON DATABASE …)', schema) AS missing
       FROM place WHERE schema_oid IS NULL AND NOT has_database_privilege(current_database(), 'CREATE')
     UNION ALL
     SELECT format('use the schema %I (GRANT USAGE ON SCHEMA %1$I …)', schema)
       FROM place WHERE NOT has_schema_privilege(schema_oid, 'USAGE')
     UNION ALL
     SELECT format('create tables and indexes in the schema %I (GRANT CREATE ON SCHEMA %1$I …)', schema)
       FROM place WHERE ($2 OR $4) AND NOT has_schema_privilege(schema_oid, 'CREATE')
     UNION ALL
     SELECT format('drop the table %s, of which the user is not the owner', name) FROM dropped
      WHERE NOT (pg_has_role(relowner, 'USAGE') OR pg_has_role(nspowner, 'USAGE'))
     UNION ALL
     SELECT format('empty the table %s (GRANT TRUNCATE ON %1$s …)', name) FROM kept
      WHERE $5 AND NOT has_table_privilege(oid, 'TRUNCATE')
     UNION ALL
     SELECT format('insert into the table %s (GRANT INSERT ON %1$s …)', name) FROM kept
      WHERE EXISTS (SELECT FROM pg_attribute WHERE attrelid = kept.oid AND attname = ANY (columns)
                       AND NOT has_column_privilege(kept.oid, attnum, 'INSERT'))
     UNION ALL
     SELECT format('read the table %s (GRANT SELECT ON %1$s …)', name) FROM kept
      -- To count the rows, the right to any column is enough.
      WHERE NOT has_any_column_privilege(oid, 'SELECT')
         OR $6 AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = kept.oid AND attname = ANY (columns)
                              AND NOT has_column_privilege(kept.oid, attnum, 'SELECT'))
     UNION ALL
     SELECT format('build the key and the indexes of the table %s, of which the user is not the owner (ALTER TABLE %1$s OWNER TO …)', name)
       FROM kept WHERE $4 AND NOT pg_has_role(relowner, 'USAGE')`,
    [JSON.stringify(parts), isNew, JSON.stringify(dropped), isBuilt, isTruncated, isVerified],
  );
  return rows.map(({ missing }) => missing);
}
