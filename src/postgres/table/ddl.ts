/** The statements about the target table: create, inspect, prepare, finish. */

import pg from 'pg';
import { qualifiedName } from '../connection/relations.ts';
import {
  type Descendant,
  isIdColumn,
  listDescendants,
  placeOfId,
  type Plan,
  type PlanColumn,
} from '../../transcode/plan.ts';
import type { TableName } from '../connection/relations.ts';
import { toIdentifier } from '../../common/identifiers.ts';
import { sqlTypeOf } from '../../transcode/column-types/of-column.ts';

const quote = pg.escapeIdentifier;

/** The table without its primary key, which is built after the load: one sort is faster than an insertion for each row. */
export function createTableStatement(plan: Plan): string {
  const id = placeOfId(plan);
  const columns = plan.columns.map((planned, place) => {
    const isNotNull = place === id || planned.isRequired === true;
    return `${defineColumn(plan, planned)}${isNotNull ? ' NOT NULL' : ''}`;
  });
  if (plan.extraColumn !== null) columns.push(`${quote(plan.extraColumn)} jsonb`);
  for (const { column, type, expression } of plan.generated ?? []) {
    columns.push(`${quote(column)} ${type} GENERATED ALWAYS AS (${expression}) STORED`);
  }
  return `CREATE TABLE ${qualifiedName(plan)} (\n  ${columns.join(',\n  ')}\n)${partitionStatements(plan)}`;
}

/** The same for a table and its child tables: all rows of a document are in partitions of the same number. */
function partitionStatements(plan: Plan): string {
  const column = plan.columns[placeOfId(plan)]?.column;
  if (plan.partitions === undefined || column === undefined) return '';
  const parts = listPartitionNames(plan).map(
    (part, remainder, { length }) =>
      `CREATE TABLE ${qualifiedName(part)} PARTITION OF ${qualifiedName(plan)} FOR VALUES WITH (MODULUS ${length}, REMAINDER ${remainder})`,
  );
  return [` PARTITION BY HASH (${quote(column)})`, ...parts].join(';\n');
}

/** The partitions of a new table of the plan; none if it is not partitioned. */
export function listPartitionNames({ schema, table, partitions = 0 }: Plan): TableName[] {
  return Array.from({ length: partitions }, (_, index) => ({
    schema,
    table: toIdentifier(`${table}_p${index}`),
  }));
}

/** Alters an existing table without rewriting its rows. */
export function addColumnStatement(plan: Plan, column: PlanColumn): string {
  return `ALTER TABLE ${qualifiedName(plan)} ADD COLUMN ${defineColumn(plan, column)}`;
}

function defineColumn(plan: Plan, planned: PlanColumn): string {
  // 24 hex digits sort the same in every collation, but only C compares them by bytes, which is fast.
  const isByBytes = planned.type === 'objectId' && plan.objectIdCollation === 'C';
  return `${quote(planned.column)} ${sqlTypeOf(planned)}${isByBytes ? ' COLLATE "C"' : ''}`;
}

export function addPrimaryKeyStatement(plan: Plan): string {
  return `ALTER TABLE ${qualifiedName(plan)} ADD PRIMARY KEY (${listKey(plan).join(', ')})`;
}

/** The columns of the key, quoted. */
export function listKey(plan: Plan): string[] {
  return plan.columns.filter(isIdColumn).map(({ column }) => quote(column));
}

/** The same for a child table. */
export function listChildKey({ child: { plan }, keyLength }: Descendant): string[] {
  return plan.columns.slice(0, keyLength).map(({ column }) => quote(column));
}

/** The keys of a child table. Deleting a row deletes its child rows. */
export function addChildKeyStatements(descendant: Descendant): string[] {
  const { plan } = descendant.child;
  return [
    `ALTER TABLE ${qualifiedName(plan)} ADD PRIMARY KEY (${listChildKey(descendant).join(', ')})`,
    addForeignKeyStatement(descendant),
  ];
}

export function addForeignKeyStatement(descendant: Descendant): string {
  const { child, parent, parentIndex, keyLength } = descendant;
  const above = parentIndex < 0 ? parent.columns.filter(isIdColumn) : parent.columns.slice(0, keyLength - 1);
  const parentKey = above.map(({ column }) => quote(column));
  const key = listChildKey(descendant).slice(0, -1);
  return `ALTER TABLE ${qualifiedName(child.plan)} ADD FOREIGN KEY (${key.join(', ')}) REFERENCES ${qualifiedName(parent)} (${parentKey.join(', ')}) ON DELETE CASCADE`;
}

/**
 * How many rows the table had when its key was built. To be run in the transaction that has built it, while no other session can
 * write. From the table's reltuples: those of the key include deleted rows that are visible to other transactions.
 */
export function keyCountStatement(table: TableName): string {
  return `SELECT reltuples::float8 AS count FROM pg_class WHERE oid = ${pg.escapeLiteral(qualifiedName(table))}::regclass`;
}

/**
 * Statistics for the planner, of the tables of a plan. Only key columns: statistics of jsonb are rarely useful and take longest.
 * Autovacuum analyzes the whole table later. An existing table may have columns that are not in the plan. Citus 12 gives its nodes the
 * names of columns without their quotes.
 */
export function analyzeStatement(plan: Plan, isDistributed = false): string {
  const parts = tablesOf(plan).map((part) => {
    const name = qualifiedName(part);
    if (isDistributed || part.columns.some(({ target }) => target !== undefined)) return name;
    const id = placeOfId(part);
    const columns = part.columns.filter((column, place) => column.type !== 'json' || place === id);
    return `${name} (${columns.map(({ column }) => quote(column)).join(', ')})`;
  });
  return `ANALYZE ${parts.join(', ')}`;
}

/** Statistics of one column. */
export function analyzeColumnStatement(plan: Plan, column: string): string {
  return `ANALYZE ${qualifiedName(plan)} (${quote(column)})`;
}

/** The child tables that get keys. Those that existed before the run are left unchanged. */
export function listKeyedChildren(plan: Plan): Descendant[] {
  return listDescendants(plan).filter(({ child }) =>
    child.plan.columns.every(({ target }) => target === undefined),
  );
}

/** The tables of a plan: the main table, and child tables for array elements, parents first. */
export function tablesOf(plan: Plan): Plan[] {
  return [plan, ...listDescendants(plan).map(({ child }) => child.plan)];
}

export function copyStatement(plan: Plan): string {
  const columns = copyColumns(plan).map(quote).join(', ');
  const format = isCopiedAsText(plan) ? 'text' : 'binary';
  return `COPY ${qualifiedName(plan)} (${columns}) FROM STDIN (FORMAT ${format})`;
}

/** The columns of an encoded row, in order. */
export function copyColumns(plan: Plan): string[] {
  const columns = plan.columns.map(({ column }) => column);
  return plan.extraColumn === null ? columns : [...columns, plan.extraColumn];
}

/** For each of `copyColumns` a type that accepts the same bytes and has no constraints. */
export function stageTypes(plan: Plan): string[] {
  const types = plan.columns.map((column): string => column.target?.stage ?? sqlTypeOf(column));
  return plan.extraColumn === null ? types : [...types, 'jsonb'];
}

/** A temporary table for `COPY` of the same bytes, without constraints, which is emptied at the end of each transaction. */
export function createStageStatement(name: string, plan: Plan): string {
  return `CREATE TABLE ${name} (${stageColumns(plan)}) ON COMMIT DELETE ROWS`;
}

/** The columns of a stage are named by their index: c0, c1, … */
export function stageColumns(plan: Plan): string {
  return stageTypes(plan)
    .map((type, index) => `c${index} ${type}`)
    .join(', ');
}

/** For each of `copyColumns` an SQL expression that converts its staged value to the type of the column. */
export function stagedValues(plan: Plan, prefix = ''): string[] {
  return copyColumns(plan).map((_, index) => {
    const cast = plan.columns[index]?.target?.cast;
    return `${prefix}c${index}${cast === undefined ? '' : `::${cast}`}`;
  });
}

/** Whether a column has a type that we do not encode in binary. */
export function isCopiedAsText(plan: Plan): boolean {
  return plan.columns.some(({ target }) => target?.cast !== undefined);
}

export async function hasPrimaryKey(client: pg.Client, table: TableName): Promise<boolean> {
  return await hasConstraint(client, table, 'p');
}

export async function hasForeignKey(client: pg.Client, table: TableName): Promise<boolean> {
  return await hasConstraint(client, table, 'f');
}

async function hasConstraint(
  client: pg.Client,
  { schema, table }: TableName,
  kind: 'p' | 'f',
): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE k.contype = $3 AND n.nspname = $1 AND c.relname = $2`,
    [schema, table, kind],
  );
  return (rowCount ?? 0) > 0;
}
