/** The statements about the target table: create, look at, make ready, finish. */

import pg from 'pg';
import { columnTypes, isIdColumn, type Plan } from '../plan/plan.ts';

const quote = pg.escapeIdentifier;

export function qualifiedName(plan: { schema: string; table: string }): string {
  return `${quote(plan.schema)}.${quote(plan.table)}`;
}

/** The table without its primary key: that is built after the load, at once and sorted, instead of row by row. */
export function createTableStatement(plan: Plan): string {
  const columns = plan.columns.map((planned) => {
    const isNotNull = isIdColumn(planned) || planned.isRequired === true;
    return `${quote(planned.column)} ${columnTypes[planned.type]}${isNotNull ? ' NOT NULL' : ''}`;
  });
  columns.push(`${quote(plan.extraColumn)} jsonb`);
  return `CREATE TABLE ${qualifiedName(plan)} (\n  ${columns.join(',\n  ')}\n)`;
}

export function addPrimaryKeyStatement(plan: Plan): string {
  const key = plan.columns.filter(isIdColumn).map(({ column }) => quote(column));
  return `ALTER TABLE ${qualifiedName(plan)} ADD PRIMARY KEY (${key.join(', ')})`;
}

export function copyStatement(plan: Plan): string {
  return `COPY ${qualifiedName(plan)} (${copyColumns(plan).map(quote).join(', ')}) FROM STDIN (FORMAT binary)`;
}

/** The columns that a row has, in the order in which it has them. */
export function copyColumns(plan: Plan): string[] {
  return [...plan.columns.map(({ column }) => column), plan.extraColumn];
}

/** For each of `copyColumns` a type that takes the same bytes and has no constraint. */
export function stageTypes(plan: Plan): string[] {
  return [...plan.columns.map(({ type }): string => columnTypes[type]), 'jsonb'];
}

export interface TableColumn {
  readonly column: string;
  /** As Postgres writes it: `timestamp with time zone`. */
  readonly type: string;
}

/** The table's columns, or null when there is no such table. */
export async function readTableColumns(
  client: pg.Client,
  table: { schema: string; table: string },
): Promise<TableColumn[] | null> {
  const { rows: found } = await client.query<{ oid: number; relkind: string }>(
    `SELECT c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2`,
    [table.schema, table.table],
  );
  const relation = found[0];
  if (relation === undefined) return null;
  const { rows } = await client.query<TableColumn>(
    `SELECT attname AS "column", format_type(atttypid, atttypmod) AS type FROM pg_attribute
      WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [relation.oid],
  );
  return rows;
}

export async function hasPrimaryKey(client: pg.Client, plan: Plan): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE k.contype = 'p' AND n.nspname = $1 AND c.relname = $2`,
    [plan.schema, plan.table],
  );
  return (rowCount ?? 0) > 0;
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
