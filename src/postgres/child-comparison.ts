/** Compares the rows of child tables with those that the documents of a batch should have there. */

import pg from 'pg';
import type { Plan } from '../plan/plan.ts';
import type { EncodedChild } from '../transcode/child-rows.ts';
import type { ColumnDifference } from '../events.ts';
import { copyColumns, qualifiedName, stagedValues } from './ddl.ts';
import { expectedTable, fillTable, isDistinct, keyColumn, keyIndex } from './expected-rows.ts';
import { maxReadCharacters, showValues } from './shown-values.ts';
import type { Stage } from './stage.ts';

/** The `_id` and the place come before the fields of the element. */
const leadingColumns = 2;

export interface ChildComparison {
  /** What differs, by the row of the document. */
  readonly differences: ReadonlyMap<number, readonly ColumnDifference[]>;
  /** How many rows of the documents that have a row of their own are in the child tables. */
  readonly rows: number;
}

/** Temporary tables for the rows as they should be. */
export function listChildStages({ children = [] }: Plan): Stage[] {
  return children.map(({ plan }, index) => ({ name: `${expectedTable}_child_${index}`, plan }));
}

export async function fillChildren(
  client: pg.Client,
  plan: Plan,
  encoded: readonly EncodedChild[],
): Promise<void> {
  for (const [index, stage] of listChildStages(plan).entries()) {
    const rows = encoded[index];
    await fillTable(client, stage, rows !== undefined && rows.rows > 0 ? rows.copy : null);
  }
}

/** The tables of what should be there must have been filled. */
export async function compareChildren(
  client: pg.Client,
  plan: Plan,
  encoded: readonly EncodedChild[],
): Promise<ChildComparison> {
  const differences = new Map<number, ColumnDifference[]>();
  let rows = 0;
  for (const [index, stage] of listChildStages(plan).entries()) {
    const counted = await client.query<{ actual: number; wrong: number }>(countStatement(plan, stage));
    const { actual = 0, wrong = 0 } = counted.rows[0] ?? {};
    rows += actual;
    // A row that is there twice is right both times.
    if (wrong === 0 && actual === (encoded[index]?.rows ?? 0)) continue;
    const { rows: found } = await client.query<{
      row: number;
      place: number | null;
      expected: string | null;
      actual: string | null;
    }>(differencesStatement(plan, stage));
    for (const { row, place, expected, actual: there } of found) {
      const known = differences.get(row) ?? [];
      const column = `${stage.plan.table}[${place ?? 'NULL'}]`;
      differences.set(row, [...known, { column, ...showValues({ expected, actual: there }) }]);
    }
  }
  return { differences, rows };
}

function countStatement(parent: Plan, stage: Stage): string {
  return `
    ${sides(parent, stage)}
    SELECT count(a.row_no)::int AS actual, count(*) FILTER (WHERE ${isWrong(stage.plan)})::int AS wrong
      FROM ${joined('actual')}`;
}

/** Of each document the first place at which the two differ; a row too many or too few differs as well. */
function differencesStatement(parent: Plan, stage: Stage): string {
  return `
    ${sides(parent, stage)},
    numbered_actual AS (SELECT *, row_number() OVER (PARTITION BY row_no, c1) AS copy_no FROM actual)
    SELECT DISTINCT ON (1) coalesce(w.row_no, a.row_no)::int AS row, coalesce(w.c1, a.c1) AS place,
           CASE WHEN w.row_no IS NOT NULL AND coalesce(a.copy_no, 1) = 1 THEN ${shown(stage.plan, stagedValues(stage.plan, 'w.'))} END AS expected,
           CASE WHEN a.row_no IS NOT NULL THEN ${shown(stage.plan, actualValues(stage.plan))} END AS actual
      FROM ${joined('numbered_actual')}
     WHERE ${isWrong(stage.plan)} OR a.copy_no > 1
     ORDER BY 1, 2`;
}

/** `wanted`: the rows that should be there; `actual`: those that are. Each with the number of its document's row. */
function sides(parent: Plan, { name, plan: child }: Stage): string {
  const parentKey = `t.${pg.escapeIdentifier(keyColumn(parent))}`;
  const actual = copyColumns(child).map((column) => `t.${pg.escapeIdentifier(column)}`);
  return `
    WITH numbered AS MATERIALIZED (
      SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, ${stagedValues(parent)[keyIndex(parent)] ?? ''} AS key FROM ${expectedTable}),
    -- Whose document is not there at all is told by that.
    present AS MATERIALIZED (
      SELECT row_no, key FROM numbered WHERE EXISTS (SELECT FROM ${qualifiedName(parent)} t WHERE ${parentKey} = key)),
    wanted AS (SELECT row_no, x.* FROM ${name} x JOIN present ON key = ${stagedValues(child, 'x.')[0] ?? ''}),
    -- Named like those of a stage, so that no column can have the name of the number.
    actual AS (SELECT row_no, ${actual.map((column, index) => `${column} AS c${index}`).join(', ')}
                 FROM ${qualifiedName(child)} t JOIN present ON key = ${actual[0] ?? ''})`;
}

function joined(actual: 'actual' | 'numbered_actual'): string {
  return `wanted w FULL JOIN ${actual} a ON a.row_no = w.row_no AND a.c1 = w.c1`;
}

function isWrong(child: Plan): string {
  const wanted = stagedValues(child, 'w.');
  const distinct = actualValues(child).map((value, index) =>
    isDistinct(child, index, wanted[index] ?? '', value),
  );
  return ['w.row_no IS NULL', 'a.row_no IS NULL', ...distinct.slice(leadingColumns)].join(' OR ');
}

/** The fields of an element, by the names of their columns. */
function shown(child: Plan, values: readonly string[]): string {
  const fields = copyColumns(child)
    .map((column, index) => `${values[index] ?? ''} AS ${pg.escapeIdentifier(column)}`)
    .slice(leadingColumns);
  return `left((SELECT to_jsonb(r) FROM (SELECT ${fields.join(', ')}) r)::text, ${maxReadCharacters})`;
}

function actualValues(child: Plan): string[] {
  return copyColumns(child).map((_, index) => `a.c${index}`);
}
