/** Copies rows into one table of a plan: in binary format, or in text format if we do not encode a type in binary. */

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
   * @returns how many rows Postgres accepted
   * @throws the errors of pg
   */
  async run(client: pg.Client, rows: Buffer, options: CopyOptions = {}): Promise<number> {
    return await copyRows(client, this.#statement, this.#text?.convert(rows) ?? rows, options);
  }
}
