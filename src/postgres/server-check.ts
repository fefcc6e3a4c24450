/** What a server must be and allow for a run to work on it: looked at before anything is done. */

import type pg from 'pg';
import { TargetError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { qualifiedName } from './ddl.ts';

/** numeric has infinities, and sessions can see that their client is gone, from here on. */
const oldestVersion = 14;

/** @returns the server's version, such as 18 @throws TargetError that says what to do */
export async function requireServer(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ version: number; encoding: string }>(
    `SELECT current_setting('server_version_num')::int / 10000 AS version,
            current_setting('server_encoding') AS encoding`,
  );
  const { version = 0, encoding = '' } = rows[0] ?? {};
  if (version < oldestVersion) {
    throw new TargetError(`this is PostgreSQL ${version}`, {
      fix: `PostgreSQL ${oldestVersion} or newer is needed.`,
    });
  }
  if (encoding === 'UTF8') return version;
  throw new TargetError(`the database has the encoding ${encoding}, which cannot hold all that MongoDB can`, {
    fix: "create one with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
  });
}

/** Rights that the user lacks to copy into this table, each with the way out; none when it can. */
export async function findMissingRights(
  client: pg.Client,
  table: Pick<Plan, 'schema' | 'table'>,
): Promise<string[]> {
  const { rows } = await client.query<{ missing: string | null }>(
    `WITH target AS (SELECT to_regclass($1) AS oid), place AS (SELECT to_regnamespace(quote_ident($2)) AS oid)
     SELECT 'create schemas in the database (GRANT CREATE ON DATABASE …)' AS missing
      WHERE (to_regnamespace('mongo2pg') IS NULL OR (SELECT oid IS NULL FROM place))
        AND NOT has_database_privilege(current_database(), 'CREATE')
     UNION ALL
     SELECT 'make temporary tables, which set refused rows aside (GRANT TEMPORARY ON DATABASE …)'
      WHERE NOT has_database_privilege(current_database(), 'TEMPORARY')
     UNION ALL
     SELECT 'create tables in the schema (GRANT CREATE ON SCHEMA …)' FROM place, target
      WHERE place.oid IS NOT NULL AND target.oid IS NULL AND NOT has_schema_privilege(place.oid, 'CREATE')
     UNION ALL
     SELECT 'write to the ledger (GRANT USAGE, CREATE ON SCHEMA mongo2pg …)'
      WHERE to_regnamespace('mongo2pg') IS NOT NULL AND NOT has_schema_privilege('mongo2pg', 'USAGE')
     UNION ALL
     SELECT 'insert into the table (GRANT INSERT, SELECT ON …)' FROM target
      WHERE oid IS NOT NULL AND NOT (has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'SELECT'))`,
    [qualifiedName(table), table.schema],
  );
  return rows.flatMap(({ missing }) => (missing === null ? [] : [missing]));
}
