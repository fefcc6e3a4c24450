/** The statements about the target table: create, look at, make ready, finish. */

import pg from 'pg';
import { qualifiedName } from '../connection/relations.ts';
import { isIdColumn, type ChildTable, type Plan } from '../../transcode/plan.ts';
import { columnTypes } from '../../transcode/column-types.ts';

const quote = pg.escapeIdentifier;

/** The table without its primary key: that is built after the load, at once and sorted, instead of row by row. */
export function createTableStatement(plan: Plan): string {
  const columns = plan.columns.map((planned) => {
    const isNotNull = isIdColumn(planned) || planned.isRequired === true;
    return `${quote(planned.column)} ${columnTypes[planned.type]}${isNotNull ? ' NOT NULL' : ''}`;
  });
  if (plan.extraColumn !== null) columns.push(`${quote(plan.extraColumn)} jsonb`);
  return `CREATE TABLE ${qualifiedName(plan)} (\n  ${columns.join(',\n  ')}\n)`;
}

export function addPrimaryKeyStatement(plan: Plan): string {
  const key = plan.columns.filter(isIdColumn).map(({ column }) => quote(column));
  return `ALTER TABLE ${qualifiedName(plan)} ADD PRIMARY KEY (${key.join(', ')})`;
}

/** The key of a child table: its rows go with those of their document. */
export function addChildKeyStatements(parent: Plan, { plan }: ChildTable): string[] {
  const [id, ordinal] = plan.columns.map(({ column }) => quote(column));
  const parentKey = parent.columns.filter(isIdColumn).map(({ column }) => quote(column));
  return [
    `ALTER TABLE ${qualifiedName(plan)} ADD PRIMARY KEY (${id ?? ''}, ${ordinal ?? ''})`,
    `ALTER TABLE ${qualifiedName(plan)} ADD FOREIGN KEY (${id ?? ''}) REFERENCES ${qualifiedName(parent)} (${parentKey.join(', ')}) ON DELETE CASCADE`,
  ];
}

/** The child tables that get keys: those that were there before the run keep what they have. */
export function listKeyedChildren({ children = [] }: Plan): ChildTable[] {
  return children.filter(({ plan }) => plan.columns.every(({ target }) => target === undefined));
}

/** The tables of a plan: the documents' own, and those of the elements of its arrays. */
export function tablesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.children ?? []).map((child) => child.plan)];
}

export function copyStatement(plan: Plan): string {
  const columns = copyColumns(plan).map(quote).join(', ');
  const format = isCopiedAsText(plan) ? 'text' : 'binary';
  return `COPY ${qualifiedName(plan)} (${columns}) FROM STDIN (FORMAT ${format})`;
}

/** The columns that a row has, in the order in which it has them. */
export function copyColumns(plan: Plan): string[] {
  const columns = plan.columns.map(({ column }) => column);
  return plan.extraColumn === null ? columns : [...columns, plan.extraColumn];
}

/** For each of `copyColumns` a type that takes the same bytes and has no constraint. */
export function stageTypes(plan: Plan): string[] {
  const types = plan.columns.map(({ type, target }): string => target?.stage ?? columnTypes[type]);
  return plan.extraColumn === null ? types : [...types, 'jsonb'];
}

/** A table for `COPY` from the same bytes, without constraints, that is empty again after each transaction. */
export function createStageStatement(name: string, plan: Plan): string {
  return `CREATE TABLE ${name} (${stageColumns(plan)}) ON COMMIT DELETE ROWS`;
}

/** The columns of a stage are named by their places: c0, c1, … */
export function stageColumns(plan: Plan): string {
  return stageTypes(plan)
    .map((type, index) => `c${index} ${type}`)
    .join(', ');
}

/** For each of `copyColumns` its staged value, named by its place, as it can be assigned to the column. */
export function stagedValues(plan: Plan, prefix = ''): string[] {
  return copyColumns(plan).map((_, index) => {
    const cast = plan.columns[index]?.target?.cast;
    return `${prefix}c${index}${cast === undefined ? '' : `::${cast}`}`;
  });
}

/** Whether a column is of a type without a binary form of ours. */
export function isCopiedAsText(plan: Plan): boolean {
  return plan.columns.some(({ target }) => target?.cast !== undefined);
}

export async function hasPrimaryKey(client: pg.Client, plan: Plan): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE k.contype = 'p' AND n.nspname = $1 AND c.relname = $2`,
    [plan.schema, plan.table],
  );
  return (rowCount ?? 0) > 0;
}
