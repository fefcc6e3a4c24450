/** Creates schemas, and finds and counts tables by name. */

import pg from 'pg';

const quote = pg.escapeIdentifier;

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

export function qualifiedName(plan: { schema: string; table: string }): string {
  return `${quote(plan.schema)}.${quote(plan.table)}`;
}

/** IF NOT EXISTS alone requires the privilege to create schemas even if the schema exists. */
export async function createSchema(client: pg.Client, schema: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
  if (rowCount === 0) await client.query(`CREATE SCHEMA IF NOT EXISTS ${quote(schema)}`);
}

export async function hasTable(
  client: pg.Client,
  table: { schema: string; table: string },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2`,
    [table.schema, table.table],
  );
  return (rowCount ?? 0) > 0;
}

/** Those of the tables that exist, in their order. */
export async function listExisting(client: pg.Client, tables: readonly TableName[]): Promise<TableName[]> {
  const { rows } = await client.query<TableName>(
    `SELECT w.schema, w.table FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, "table", place)
       JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.table
      ORDER BY w.place`,
    [tables.map(({ schema }) => schema), tables.map(({ table }) => table)],
  );
  return rows;
}

export async function countRows(
  client: pg.Client,
  table: { schema: string; table: string },
): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `SELECT count(*) AS count FROM ${qualifiedName(table)}`,
  );
  return Number(rows[0]?.count);
}

export async function hasRows(client: pg.Client, table: { schema: string; table: string }): Promise<boolean> {
  const { rowCount } = await client.query(`SELECT FROM ${qualifiedName(table)} LIMIT 1`);
  return (rowCount ?? 0) > 0;
}
