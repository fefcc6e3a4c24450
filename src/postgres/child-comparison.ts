/** Compares the rows of child tables with those that the documents of a batch should have there. */

import pg from 'pg';
import type { Plan } from '../plan/plan.ts';
import type { EncodedChild } from '../transcode/child-rows.ts';
import type { ColumnDifference } from '../events.ts';
import { copyColumns, qualifiedName, stagedValues } from './ddl.ts';
import { expectedTable, fillTable, isComparedAsText, keyColumn, keyIndex } from './expected-rows.ts';

const maxShownCharacters = 200;

const stageOf = (index: number): string => `${expectedTable}_child_${index}`;

/** The rows as they should be, each table's in a temporary one. */
export async function fillChildren(
  client: pg.Client,
  plan: Plan,
  encoded: readonly EncodedChild[],
): Promise<void> {
  for (const [index, child] of (plan.children ?? []).entries()) {
    const rows = encoded[index];
    const copy = rows !== undefined && rows.rows > 0 ? rows.copy : null;
    await fillTable(client, { name: stageOf(index), plan: child.plan }, copy);
  }
}

/** `fillExpected` and `fillChildren` must have filled the tables of what should be there. */
export async function compareChildren(
  client: pg.Client,
  plan: Plan,
): Promise<Map<number, ColumnDifference[]>> {
  const differences = new Map<number, ColumnDifference[]>();
  for (const [index, child] of (plan.children ?? []).entries()) {
    const { rows: found } = await client.query<{
      row: number;
      place: number;
      expected: string | null;
      actual: string | null;
    }>(differencesStatement(plan, child.plan, stageOf(index)));
    for (const { row, place, expected, actual } of found) {
      const known = differences.get(row) ?? [];
      differences.set(row, [...known, { column: `${child.plan.table}[${place}]`, expected, actual }]);
    }
  }
  return differences;
}

/** Of each document the first place at which the two differ; a row too many or too few differs as well. */
function differencesStatement(parent: Plan, child: Plan, stage: string): string {
  const columns = copyColumns(child).map((column) => pg.escapeIdentifier(column));
  const [id = '', ordinal = ''] = columns;
  const wanted = stagedValues(child, 'w.');
  const distinct = columns.map((column, index) => {
    const sides = [wanted[index] ?? '', `a.${column}`];
    return sides
      .map((side) => (isComparedAsText(child, index) ? `(${side})::text` : side))
      .join(' IS DISTINCT FROM ');
  });
  return `
    WITH numbered AS MATERIALIZED (
      SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, ${stagedValues(parent)[keyIndex(parent)] ?? ''} AS key FROM ${expectedTable}),
    -- Whose document is not there at all is told by that.
    present AS MATERIALIZED (
      SELECT row_no, key FROM numbered
       WHERE EXISTS (SELECT FROM ${qualifiedName(parent)} t WHERE t.${pg.escapeIdentifier(keyColumn(parent))} = key)),
    wanted AS (SELECT row_no, x.* FROM ${stage} x JOIN present ON key = ${stagedValues(child, 'x.')[0] ?? ''}),
    actual AS (SELECT row_no, t.* FROM ${qualifiedName(child)} t JOIN present ON key = t.${id})
    SELECT DISTINCT ON (1) coalesce(w.row_no, a.row_no)::int AS row, coalesce(w.c1, a.${ordinal}) AS place,
           CASE WHEN w.row_no IS NOT NULL THEN left(to_jsonb(w)::text, ${maxShownCharacters}) END AS expected,
           CASE WHEN a.row_no IS NOT NULL THEN left(to_jsonb(a)::text, ${maxShownCharacters}) END AS actual
      FROM wanted w FULL JOIN actual a ON a.row_no = w.row_no AND a.${ordinal} = w.c1
     WHERE w.row_no IS NULL OR a.row_no IS NULL ${distinct
       .slice(2)
       .map((condition) => `OR ${condition}`)
       .join(' ')}
     ORDER BY 1, 2`;
}
