/** Compares the rows of child tables with the expected rows of a batch. */

import pg from 'pg';
import { listDescendants, type Plan } from '../../transcode/plan.ts';
import type { EncodedChild } from '../../transcode/child-rows.ts';
import type { ColumnDifference } from '../../observe/verification-summary.ts';
import { copyColumns, stagedValues } from '../table/ddl.ts';
import {
  expectedTable,
  fillTable,
  isComparedAsText,
  isDistinct,
  keyColumn,
  keyIndex,
  type Stretch,
} from './expected-rows.ts';
import { maxReadCharacters, showValues } from './shown-values.ts';
import type { Stage } from '../load/stage.ts';
import type { ActualRows } from './actual-rows.ts';

/** A child table, and the temporary table for its expected rows. */
export interface ChildStage extends Stage {
  /** Number of columns before the fields of the element. */
  readonly keyLength: number;
}

export interface ChildComparison {
  /** Differences, by the row of the document. */
  readonly differences: ReadonlyMap<number, readonly ColumnDifference[]>;
  /** How many child rows the documents have that have a row in the main table. */
  readonly rows: number;
}

/** Temporary tables for the expected rows. */
export function listChildStages(plan: Plan): ChildStage[] {
  return listDescendants(plan).map(({ child, keyLength }, index) => ({
    ...{ name: `${expectedTable}_child_${index}`, plan: child.plan, keyLength },
  }));
}

export async function fillChildren(
  client: pg.Client,
  plan: Plan,
  encoded: readonly EncodedChild[],
): Promise<void> {
  for (const [index, stage] of listChildStages(plan).entries()) {
    const rows = encoded[index];
    await fillTable(client, stage, rows !== undefined && rows.rowCount > 0 ? rows.copy : null);
  }
}

/**
 * The tables of expected rows must have been filled.
 * @param stretch the range of the keys, if the rows in the main table are equal: then a scan of that range of the child table shows
 * whether all are. Null to find the rows that differ.
 */
export async function compareChildren(
  client: pg.Client,
  plan: Plan,
  encoded: readonly EncodedChild[],
  stretch: Stretch | null,
  rowsThere: ActualRows,
): Promise<ChildComparison> {
  const differences = new Map<number, ColumnDifference[]>();
  let rows = 0;
  for (const [index, stage] of listChildStages(plan).entries()) {
    const wanted = encoded[index]?.rowCount ?? 0;
    if (stretch !== null && (await areEqual(client, plan, stage, stretch, wanted, rowsThere))) {
      rows += wanted;
      continue;
    }
    const tables = await sides(client, plan, stage, rowsThere);
    const counted = await client.query<{ count: number }>(
      `${tables} SELECT count(*)::int AS count FROM actual`,
    );
    rows += counted.rows[0]?.count ?? 0;
    const { rows: found } = await client.query<{
      row: number;
      places: (number | null)[];
      expected: string | null;
      actual: string | null;
    }>(`${tables} ${differencesStatement(stage)}`);
    for (const { row, places, expected, actual } of found) {
      const known = differences.get(row) ?? [];
      const column = `${stage.plan.table}${places.map((place) => `[${place ?? 'NULL'}]`).join('')}`;
      differences.set(row, [...known, { column, ...showValues({ expected, actual }) }]);
    }
  }
  return { differences, rows };
}

/** Whether the rows of the documents are exactly the expected ones; false if this is uncertain. */
async function areEqual(
  client: pg.Client,
  parent: Plan,
  stage: ChildStage,
  { first, last }: Stretch,
  wanted: number,
  rowsThere: ActualRows,
): Promise<boolean> {
  const { name, plan: child } = stage;
  const isSame = stagedValues(child, 'w.')
    .slice(0, stage.keyLength)
    .map((value, place) => `a.c${place} = ${value}`);
  const columns = columnsOf(child, 't.');
  const key = stagedValues(parent, 'e.')[keyIndex(parent)] ?? '';
  const { rows } = await client.query<{ actual: number; wrong: number }>(
    `WITH actual AS (
       SELECT ${named(columns)} FROM ${rowsThere.tableOf(child)} t
        WHERE ${columns[0] ?? ''} BETWEEN $1 AND $2 AND ${columns[0] ?? ''} IN (SELECT ${key} FROM ${expectedTable} e))
     SELECT count(a.c0)::int AS actual, count(*) FILTER (WHERE ${isWrong(stage)})::int AS wrong
       FROM ${name} w FULL JOIN actual a ON ${isSame.join(' AND ')}`,
    [first, last],
  );
  // A row may exist twice: each copy equals the expected row.
  return rows[0]?.wrong === 0 && rows[0].actual === wanted;
}

/** The first difference of each document. A missing row and a surplus row are differences too. */
function differencesStatement(stage: ChildStage): string {
  const { plan: child, keyLength } = stage;
  const places = Array.from({ length: keyLength - 1 }, (_, index) => `c${index + 1}`);
  const isSame = places.map((place) => ` AND a.${place} = w.${place}`);
  return `,
    numbered_actual AS (SELECT *, row_number() OVER (PARTITION BY row_no, ${places.join(', ')}) AS copy_no FROM actual)
    SELECT DISTINCT ON (1) coalesce(w.row_no, a.row_no)::int AS row,
           ARRAY[${places.map((place) => `coalesce(w.${place}, a.${place})`).join(', ')}] AS places,
           CASE WHEN w.c1 IS NOT NULL AND coalesce(a.copy_no, 1) = 1 THEN ${shown(stage, stagedValues(child, 'w.'))} END AS expected,
           CASE WHEN a.row_no IS NOT NULL THEN ${shown(stage, actualValues(child))} END AS actual
      FROM wanted w FULL JOIN numbered_actual a ON a.row_no = w.row_no${isSame.join('')}
     WHERE ${isWrong(stage)} OR a.copy_no > 1
     ORDER BY 1, 2`;
}

/**
 * `wanted`: the expected rows; `actual`: the actual ones. Both have the number of the document's row. Rows are looked up by index
 * if possible: a batch is small compared to its tables, which the planner does not know.
 */
async function sides(
  client: pg.Client,
  parent: Plan,
  { name, plan: child }: Stage,
  rowsThere: ActualRows,
): Promise<string> {
  const columns = columnsOf(child, 't.');
  const [id = ''] = columns;
  const parentKey = `t.${pg.escapeIdentifier(keyColumn(parent))}`;
  const hasKey = (await rowsThere.hasIndexOn(client, parent, keyColumn(parent)))
    ? `(SELECT true FROM ${rowsThere.tableOf(parent)} t WHERE ${parentKey} = n.key LIMIT 1)`
    : `EXISTS (SELECT FROM ${rowsThere.tableOf(parent)} t WHERE ${parentKey} = n.key)`;
  const rowsOf = `SELECT ${named(columns)} FROM ${rowsThere.tableOf(child)} t`;
  const actual = (await rowsThere.hasIndexOn(client, child, copyColumns(child)[0] ?? ''))
    ? // OFFSET 0 prevents the planner from merging the subquery into the outer query.
      `SELECT p.row_no, r.* FROM present p CROSS JOIN LATERAL (${rowsOf} WHERE ${id} = p.key OFFSET 0) r`
    : `SELECT p.row_no, r.* FROM present p JOIN (${rowsOf}) r ON r.c0 = p.key`;
  return `
    WITH numbered AS MATERIALIZED (
      SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, ${stagedValues(parent)[keyIndex(parent)] ?? ''} AS key FROM ${expectedTable}),
    -- Of a missing document, only the missing row is reported.
    present AS MATERIALIZED (SELECT n.row_no, n.key FROM numbered n WHERE ${hasKey}),
    wanted AS (SELECT p.row_no, x.* FROM ${name} x JOIN present p ON p.key = ${stagedValues(child, 'x.')[0] ?? ''}),
    actual AS (${actual})`;
}

/** A condition on an expected row `w` and an actual row `a`, either of which may be missing. */
function isWrong({ plan: child, keyLength }: ChildStage): string {
  const wanted = stagedValues(child, 'w.');
  const asked = actualValues(child).flatMap((value, index) =>
    // The rows were joined by document and array positions, so that these are equal, unless the document's key is text.
    index >= keyLength || (index === 0 && isComparedAsText(child, index))
      ? [isDistinct(child, index, wanted[index] ?? '', value)]
      : [],
  );
  return ['w.c1 IS NULL', 'a.c1 IS NULL', ...asked].join(' OR ');
}

function columnsOf(child: Plan, prefix: string): string[] {
  return copyColumns(child).map((column) => `${prefix}${pg.escapeIdentifier(column)}`);
}

/** Named like the columns of a stage, so that no column name can conflict. */
function named(columns: readonly string[]): string {
  return columns.map((column, index) => `${column} AS c${index}`).join(', ');
}

/** The fields of an element, by the names of their columns. */
function shown({ plan: child, keyLength }: ChildStage, values: readonly string[]): string {
  const fields = copyColumns(child)
    .map((column, index) => `${values[index] ?? ''} AS ${pg.escapeIdentifier(column)}`)
    .slice(keyLength);
  return `left((SELECT to_jsonb(r) FROM (SELECT ${fields.join(', ')}) r)::text, ${maxReadCharacters})`;
}

function actualValues(child: Plan): string[] {
  return copyColumns(child).map((_, index) => `a.c${index}`);
}
