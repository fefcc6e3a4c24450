/** Checks before a comparison that its tables have all columns, and that the user may read them. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { Plan } from '../../transcode/plan.ts';
import { copyColumns, tablesOf } from '../table/ddl.ts';
import { mayMakeTemporaryTables } from '../table/target-check.ts';

/** @throws TargetError that lists what is missing */
export async function requireComparable(client: pg.Client, plan: Plan): Promise<void> {
  const parts = tablesOf(plan).map((part) => ({
    schema: part.schema,
    table: part.table,
    columns: copyColumns(part),
  }));
  const { rows } = await client.query<{ columns: string[]; name: string; isLacking: boolean }>(
    `SELECT format('%I.%I', w.schema, w."table") AS name, array_agg(quote_ident(wanted) ORDER BY place) AS columns,
            bool_or(a.attnum IS NULL) AS "isLacking"
       FROM jsonb_to_recordset($1) AS w(schema text, "table" text, columns text[])
       CROSS JOIN unnest(w.columns) WITH ORDINALITY AS u(wanted, place)
       LEFT JOIN pg_namespace n ON n.nspname = w.schema
       LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w."table"
       LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = wanted AND NOT a.attisdropped
      WHERE a.attnum IS NULL OR NOT has_column_privilege(c.oid, a.attnum, 'SELECT')
      GROUP BY name, a.attnum IS NULL ORDER BY name`,
    [JSON.stringify(parts)],
  );
  const gone = rows.filter(({ isLacking }) => isLacking);
  if (gone.length > 0) {
    const lacks = gone.map(({ name, columns }) => `${name} has no column ${columns.join(', ')}`);
    throw new TargetError(`the table was altered since it was copied: ${lacks.join('; ')}`, {
      code: 'TABLE_ALTERED',
      fix: 'these values have no column to compare with: restore the columns, or copy the collection again.',
    });
  }
  const hidden = rows.map(
    ({ name, columns }) => `read ${name} (${columns.join(', ')}; GRANT SELECT ON ${name} …)`,
  );
  const lacking = (await mayMakeTemporaryTables(client))
    ? hidden
    : [...hidden, 'create temporary tables, which hold the expected rows (GRANT TEMPORARY ON DATABASE …)'];
  if (lacking.length === 0) return;
  throw new TargetError(`the user may not ${lacking.join('; nor ')}`, {
    code: 'POSTGRES_RIGHTS',
    fix: 'grant the rights, or use another user.',
  });
}
