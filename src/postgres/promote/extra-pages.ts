/** Reads the values of a field in the extra column, page by page in the order of the key. */

import pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import { keyColumn } from '../compare/expected-rows.ts';
import { qualifiedName } from '../connection/relations.ts';

/** Small, so that rows of a page are not locked for long, and a page fits into memory. */
const maxRows = 2_000;
const maxBytes = 8_000_000;

/** A row that has the field in its extra column. */
export interface ExtraValue {
  /** As text. */
  readonly key: string;
  /** The text of the value. */
  readonly json: string;
}

export class ExtraPages {
  /** The type of the key, as Postgres writes it. */
  readonly keyType: string;
  readonly #plan: Plan;
  readonly #field: string;

  private constructor(plan: Plan, field: string, keyType: string) {
    this.#plan = plan;
    this.#field = field;
    this.keyType = keyType;
  }

  static async open(client: pg.Client, plan: Plan, field: string): Promise<ExtraPages> {
    const { rows } = await client.query<{ type: string }>(
      'SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2',
      [qualifiedName(plan), keyColumn(plan)],
    );
    return new ExtraPages(plan, field, rows[0]?.type ?? 'text');
  }

  /**
   * To be called in a transaction.
   * @param after the key after which the page begins; null for the first page
   * @param lock locks the rows until the end of the transaction
   * @returns an empty page at the end
   */
  async read(client: pg.Client, after: string | null, lock: '' | 'FOR UPDATE' = ''): Promise<ExtraValue[]> {
    const key = pg.escapeIdentifier(keyColumn(this.#plan));
    const extra = pg.escapeIdentifier(this.#plan.extraColumn ?? '');
    // The planner cannot know how many rows have a field. It assumes few, and would sort all of them for each page.
    await client.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off');
    const isAfter = after === null ? '' : `AND ${key} > $2::${this.keyType}`;
    const { rows } = await client.query<ExtraValue>(
      `SELECT key::text AS key, (extra -> $1::text)::text AS json
         FROM (SELECT key, extra, sum(size) OVER (ORDER BY key) - size AS before
                 FROM (SELECT ${key} AS key, ${extra} AS extra, pg_column_size(${extra}) AS size
                         FROM ${qualifiedName(this.#plan)} WHERE ${extra} ? $1::text ${isAfter}
                        ORDER BY ${key} LIMIT ${maxRows} ${lock}) AS page) AS sized
        WHERE before < ${maxBytes} ORDER BY sized.key`,
      after === null ? [this.#field] : [this.#field, after],
    );
    return rows;
  }
}
