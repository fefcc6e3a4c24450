/** Compares the rows of a table with the expected rows in `expectedTable`, by SQL generated from the plan. */

import pg from 'pg';
import type { ColumnDifference } from '../../observe/verification-summary.ts';
import type { Plan } from '../../transcode/plan.ts';
import type { ActualRows } from './actual-rows.ts';
import { copyColumns, stagedValues } from '../table/ddl.ts';
import {
  expectedTable,
  isComparedAsText,
  isDistinct,
  keyColumn,
  keyIndex,
  type Stretch,
} from './expected-rows.ts';
import { maxReadCharacters, showValues } from './shown-values.ts';

export interface DifferingRow {
  /** Its index among the expected rows. */
  readonly row: number;
  readonly isMissing: boolean;
  /** Indexes in `copyColumns`. */
  readonly columns: number[];
}

export class RowComparison {
  readonly #plan: Plan;
  readonly #actual: ActualRows;
  readonly #countStatement: string;
  readonly #differingStatement: string;

  constructor(plan: Plan, actual: ActualRows) {
    this.#plan = plan;
    this.#actual = actual;
    this.#countStatement = countStatement(plan, actual.tableOf(plan));
    this.#differingStatement = differingRowsStatement(plan, actual.tableOf(plan));
  }

  /** The least and the greatest key of the expected rows. */
  async readStretch(client: pg.Client): Promise<Stretch> {
    const plan = this.#plan;
    const { type, target } = plan.columns[keyIndex(plan)] ?? {};
    // In C, hex digits sort as in any collation, and faster.
    const collation = type === 'objectId' && target === undefined ? ' COLLATE "C"' : '';
    // Qualified, since a bare name in ORDER BY would refer to the output column, which is text.
    const key = `${stagedValues(plan, 'e.')[keyIndex(plan)] ?? ''}${collation}`;
    // Not min() and max(), which some ordered types lack.
    const end = (direction: string): string =>
      `(SELECT (${key})::text FROM ${expectedTable} e ORDER BY ${key} ${direction} NULLS LAST LIMIT 1)`;
    // The planner overestimates the cost of lookups. With scattered keys, the range between them would be most of the table.
    const { rows } = await client.query<Stretch>(
      `SELECT ${end('ASC')} AS first, ${end('DESC')} AS last, set_config('random_page_cost', '1.1', true)`,
    );
    return rows[0] ?? { first: null, last: null };
  }

  /**
   * Whether all expected rows exist and are equal; then `findDiffering` is not needed. Given the first and the last key, Postgres scans that range of the index once, instead of looking up each row: a tenth of the work. If the two are wrong, because a type does not survive conversion to text, rows only seem to be missing, and `findDiffering` checks again.
   */
  async isEqual(client: pg.Client, { first, last }: Stretch): Promise<boolean> {
    const { rows } = await client.query<{ count: string }>(this.#countStatement, [first, last]);
    return rows[0]?.count === '0';
  }

  async findDiffering(client: pg.Client): Promise<DifferingRow[]> {
    // A batch is small compared to its table. Without statistics of the batch, the planner would scan the whole table.
    const looksUp = await this.#actual.hasIndexOn(client, this.#plan, keyColumn(this.#plan));
    if (looksUp) await client.query('SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off');
    const { rows } = await client.query<DifferingRow>(this.#differingStatement);
    if (looksUp) await client.query('SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on');
    return rows;
  }

  /** @param wanted rows that exist @returns both values of each column that differs, by row */
  async readValues(
    client: pg.Client,
    wanted: readonly DifferingRow[],
  ): Promise<Map<number, ColumnDifference[]>> {
    const plan = this.#plan;
    const values = new Map<number, ColumnDifference[]>();
    if (wanted.length === 0) return values;
    const names = copyColumns(plan);
    const expectedValues = stagedValues(plan, 'e.');
    const differing = [...new Set(wanted.flatMap(({ columns }) => columns))];
    const shown = differing.flatMap((index) => [
      `left((${expectedValues[index] ?? ''})::text, ${maxReadCharacters}) AS e${index}`,
      `left(t.${pg.escapeIdentifier(names[index] ?? '')}::text, ${maxReadCharacters}) AS t${index}`,
    ]);
    if (shown.length === 0) return values;
    const keyName = pg.escapeIdentifier(keyColumn(plan));
    const { rows } = await client.query<Record<string, string | null> & { row: number }>(
      `WITH numbered AS (SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, * FROM ${expectedTable})
       SELECT DISTINCT ON (e.row_no) e.row_no::int AS row, ${shown.join(', ')}
         FROM numbered e JOIN ${this.#actual.tableOf(plan)} t ON t.${keyName} = ${expectedValues[keyIndex(plan)] ?? ''}
        WHERE e.row_no = ANY ($1) AND (${isWrong(plan, distinctConditions(plan))}) ORDER BY e.row_no`,
      [wanted.map(({ row }) => row)],
    );
    for (const row of rows) {
      const columns = wanted.find((candidate) => candidate.row === row.row)?.columns ?? [];
      const differences = columns.map((index) => ({
        column: names[index] ?? '',
        ...showValues({ expected: row[`e${index}`] ?? null, actual: row[`t${index}`] ?? null }),
      }));
      values.set(row.row, differences);
    }
    return values;
  }
}

/** $1 and $2 are the least and the greatest key. A full count: with LIMIT 1, the planner would look up rows. */
function countStatement(plan: Plan, table: string): string {
  const key = `t.${pg.escapeIdentifier(keyColumn(plan))}`;
  return `
    SELECT count(*) AS count
      FROM ${expectedTable} e LEFT JOIN ${table} t
        ON ${key} = ${stagedValues(plan, 'e.')[keyIndex(plan)] ?? ''} AND ${key} BETWEEN $1 AND $2
     WHERE ${isWrong(plan, distinctConditions(plan))}`;
}

function differingRowsStatement(plan: Plan, table: string): string {
  const key = keyIndex(plan);
  const keyName = pg.escapeIdentifier(keyColumn(plan));
  const distinct = distinctConditions(plan);
  // A key that is equal only by collation belongs to another document.
  const exactly = isComparedAsText(plan, key) ? ` AND NOT (${distinct[key] ?? ''})` : '';
  const places = distinct.map((condition, index) => `CASE WHEN ${condition} THEN ${index} END`);
  return `
    WITH numbered AS MATERIALIZED (
      SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, * FROM ${expectedTable})
    SELECT DISTINCT ON (e.row_no) e.row_no::int AS row, t.${keyName} IS NULL AS "isMissing",
           array_remove(ARRAY[${places.join(', ')}], NULL) AS columns
      FROM numbered e LEFT JOIN ${table} t ON t.${keyName} = ${stagedValues(plan, 'e.')[key] ?? ''}${exactly}
     WHERE ${isWrong(plan, distinct)}
     ORDER BY e.row_no`;
}

/** For each of `copyColumns` a condition: whether its values in the rows `t` and `e` differ. */
function distinctConditions(plan: Plan): string[] {
  const expectedValues = stagedValues(plan, 'e.');
  return copyColumns(plan).map((column, index) =>
    isDistinct(plan, index, expectedValues[index] ?? '', `t.${pg.escapeIdentifier(column)}`),
  );
}

function isWrong(plan: Plan, distinct: readonly string[]): string {
  const key = keyIndex(plan);
  // The rows were joined by the key, so that keys are equal, unless they are text.
  const asked = distinct.filter((_, index) => index !== key || isComparedAsText(plan, key));
  return [`t.${pg.escapeIdentifier(keyColumn(plan))} IS NULL`, ...asked].join(' OR ');
}
