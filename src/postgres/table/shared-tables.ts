/** Detects tables that two collections would share: a child table of one that is a table of the other. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { Plan } from '../../transcode/plan.ts';
import { hasLedger } from '../ledger/ledger.ts';
import { qualifiedName } from '../connection/relations.ts';
import { tablesOf } from './ddl.ts';
import type { TableName } from '../connection/relations.ts';

/**
 * To be called before tables are dropped or truncated, so that the rows of another collection are kept. Two collections may share a
 * main table on purpose, but never a child table.
 * @throws TargetError with the name of the other collection
 */
export async function requireUnshared(client: pg.Client, plan: Plan): Promise<void> {
  if (!(await hasLedger(client))) return;
  const { rows } = await client.query<TableName & { source: string }>(
    `WITH RECURSIVE part AS (
       SELECT r.source, r.table_schema, r.table_name, r.settings -> 'plan' AS plan, false AS is_child
         FROM mongo2pg.runs r JOIN pg_class c ON c.oid = r.table_oid
        WHERE r.replaced_at IS NULL AND (r.table_schema, r.table_name) <> ($1, $2)
       UNION ALL
       SELECT source, table_schema, table_name, child -> 'plan', true
         FROM part, jsonb_array_elements(coalesce(plan -> 'children', '[]')) AS child)
     SELECT source, p.plan ->> 'schema' AS schema, p.plan ->> 'table' AS table
       FROM part p JOIN jsonb_to_recordset($3) AS own (schema text, "table" text, "isChild" boolean)
         ON own.schema = p.plan ->> 'schema' AND own."table" = p.plan ->> 'table' AND (own."isChild" OR p.is_child)
      ORDER BY 1, 2, 3 LIMIT 1`,
    [
      plan.schema,
      plan.table,
      JSON.stringify(
        tablesOf(plan).map(({ schema, table }, index) => ({ schema, table, isChild: index > 0 })),
      ),
    ],
  );
  const shared = rows[0];
  if (shared === undefined) return;
  throw new TargetError(`the table ${qualifiedName(shared)} has rows of ${shared.source}`, {
    code: 'TABLE_SHARED',
    fix: 'give the table another name in a plan, or choose another POSTGRES_SCHEMA.',
  });
}
