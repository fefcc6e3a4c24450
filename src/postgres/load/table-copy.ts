/** Copies rows into one table of a plan: in binary format, or in text format where a type has no binary form of ours. */

import type pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import { TextRows } from '../../transcode/copy/text-rows.ts';
import { copyRows, type CopyOptions } from './copy.ts';
import { copyStatement, isCopiedAsText } from '../table/ddl.ts';

export class TableCopy {
  readonly #statement: string;
  readonly #text: TextRows | null;

  constructor(plan: Plan) {
    this.#statement = copyStatement(plan);
    this.#text = isCopiedAsText(plan) ? new TextRows(plan) : null;
  }

  /**
   * @param rows a complete binary COPY stream
   * @returns how many rows Postgres took
   * @throws the error of Postgres or of the connection as it is
   */
  async run(client: pg.Client, rows: Buffer, options: CopyOptions = {}): Promise<number> {
    return await copyRows(client, this.#statement, this.#text?.convert(rows) ?? rows, options);
  }
}
