/**
 * The actual rows of a comparison. Rows of a distributed table are first fetched from its nodes, for the keys of the batch only: a
 * join on the coordinator would fetch the whole table for each batch.
 */

import pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import { qualifiedName } from '../connection/relations.ts';
import { copyColumns, stagedValues, tablesOf } from '../table/ddl.ts';
import { readDistribution } from '../table/distribution.ts';
import { expectedTable, hasIndexOn, keyIndex, type Stretch } from './expected-rows.ts';

export interface ActualRows {
  /** The table with the rows, or a copy of them, as an SQL name. */
  tableOf(part: Plan): string;
  /**
   * Copies the rows if necessary. To be called in the transaction that compares, once the expected rows are staged.
   * @param stretch fetches only rows between these keys; null if that may be wrong
   */
  fetch(client: pg.Client, plan: Plan, stretch: Stretch | null): Promise<void>;
  /** Whether rows can be looked up by the column. */
  hasIndexOn(client: pg.Client, part: Plan, column: string): Promise<boolean>;
}

const inPlace: ActualRows = {
  tableOf: qualifiedName,
  fetch: () => Promise.resolve(),
  hasIndexOn,
};

export async function readActualRows(client: pg.Client, plan: Plan): Promise<ActualRows> {
  const distribution = await readDistribution(client, plan);
  return distribution === null ? inPlace : new FetchedRows(plan);
}

class FetchedRows implements ActualRows {
  readonly #names: ReadonlyMap<string, string>;

  constructor(plan: Plan) {
    this.#names = new Map(
      tablesOf(plan).map((part, index) => [qualifiedName(part), `pg_temp.mongo2pg_actual_${index}`]),
    );
  }

  tableOf(part: Plan): string {
    return this.#names.get(qualifiedName(part)) ?? qualifiedName(part);
  }

  async fetch(client: pg.Client, plan: Plan, stretch: Stretch | null): Promise<void> {
    const wanted = `SELECT ${stagedValues(plan)[keyIndex(plan)] ?? ''} FROM ${expectedTable}`;
    for (const [index, part] of tablesOf(plan).entries()) {
      const copy = this.tableOf(part);
      await ensureCopy(client, part, copy);
      const key = pg.escapeIdentifier(copyColumns(part)[index === 0 ? keyIndex(plan) : 0] ?? '');
      await client.query(
        `INSERT INTO ${copy} SELECT ${namesOf(part)} FROM ${qualifiedName(part)} t
          WHERE t.${key} IN (${wanted})${stretch === null ? '' : ` AND t.${key} BETWEEN $1 AND $2`}`,
        stretch === null ? [] : [stretch.first, stretch.last],
      );
    }
  }

  hasIndexOn(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

function namesOf(part: Plan): string {
  return copyColumns(part)
    .map((column) => pg.escapeIdentifier(column))
    .join(', ');
}

/** A temporary table with the columns of the table. It is emptied after each transaction, and kept for the next batch. */
async function ensureCopy(client: pg.Client, part: Plan, copy: string): Promise<void> {
  const content = `${namesOf(part)} of ${qualifiedName(part)}`;
  const { rows } = await client.query<{ content: string | null }>(
    `SELECT obj_description(to_regclass('${copy}')) AS content`,
  );
  if (rows[0]?.content === content) {
    await client.query(`TRUNCATE ${copy}`);
    return;
  }
  await client.query(`DROP TABLE IF EXISTS ${copy}`);
  await client.query(
    `CREATE TEMP TABLE ${copy} ON COMMIT DELETE ROWS AS SELECT ${namesOf(part)} FROM ${qualifiedName(part)} LIMIT 0`,
  );
  await client.query(`COMMENT ON TABLE ${copy} IS ${pg.escapeLiteral(content)}`);
}
