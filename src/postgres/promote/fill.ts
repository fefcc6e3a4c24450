/** Moves the values of a page from the extra column to the new column. */

import pg from 'pg';
import { Output } from '../../bson/output.ts';
import { copyHeader, copyTrailer } from '../../transcode/copy/copy-format.ts';
import { placeColumn, type Plan, type PlanColumn } from '../../transcode/plan.ts';
import { type KnownTypes, PromotedValues } from '../../transcode/promoted-values.ts';
import { keyColumn } from '../compare/expected-rows.ts';
import { qualifiedName } from '../connection/relations.ts';
import type { PromotionStep } from '../ledger/promotions.ts';
import { copyToStage, ensureStage, type Stage } from '../load/stage.ts';
import type { ExtraPages, ExtraValue } from './extra-pages.ts';

/** The type under which a value is counted that cannot come from a document. */
const unknownType = 'unknown';

export class PromotedColumn {
  readonly #plan: Plan;
  readonly #column: PlanColumn;
  readonly #pages: ExtraPages;
  /** Null if the column takes the values unchanged. */
  readonly #values: PromotedValues | null;
  readonly #stage: Stage;
  readonly #output = new Output();

  /** @param plan that includes the column */
  constructor(plan: Plan, column: PlanColumn, known: KnownTypes, pages: ExtraPages) {
    this.#plan = plan;
    this.#column = column;
    this.#pages = pages;
    this.#values = column.type === 'json' ? null : new PromotedValues(plan, column, known);
    const { collection, schema, table } = plan;
    const columns = [placeColumn('place'), column];
    this.#stage = {
      name: 'pg_temp.mongo2pg_promoted',
      plan: { collection, schema, table, columns, extraColumn: null },
    };
  }

  /** To be called in a transaction. @param after see `ExtraPages.read` @returns null at the end */
  async fill(client: pg.Client, after: string | null): Promise<PromotionStep | null> {
    const page = await this.#pages.read(client, after, 'FOR UPDATE');
    const afterKey = page.at(-1)?.key;
    if (afterKey === undefined) return null;
    return { ...(await this.#move(client, page)), afterKey };
  }

  async #move(client: pg.Client, page: readonly ExtraValue[]): Promise<Omit<PromotionStep, 'afterKey'>> {
    const keys = page.map(({ key }) => key);
    if (this.#values === null) {
      const nulls = page.filter(({ json }) => json === 'null').length;
      await this.#update(client, keys, page.length);
      return { promoted: page.length - nulls, nulls, left: {} };
    }
    const { copy, rowCount, ...step } = writeRows(this.#values, page, this.#output);
    if (rowCount === 0) return step;
    await ensureStage(client, this.#stage);
    await copyToStage(client, this.#stage, copy);
    await this.#update(client, keys, rowCount);
    return step;
  }

  async #update(client: pg.Client, keys: readonly string[], rowCount: number): Promise<void> {
    const { extraColumn, keepsWhole } = this.#plan;
    const [key, column, extra] = [keyColumn(this.#plan), this.#column.column, extraColumn ?? ''].map((name) =>
      pg.escapeIdentifier(name),
    );
    const { field } = this.#column;
    const isStaged = this.#values !== null;
    const value = isStaged ? 's.c1' : `nullif(t.${extra} -> $2::text, 'null')`;
    const rest = keepsWhole === true ? '' : `, ${extra} = nullif(t.${extra} - $2::text, '{}')`;
    // Postgres rejects a parameter that the statement does not use.
    const isNamed = !isStaged || keepsWhole !== true;
    const { rowCount: updated } = await client.query(
      `UPDATE ${qualifiedName(this.#plan)} t SET ${column} = ${value}${rest}
         FROM unnest($1::${this.#pages.keyType}[]) WITH ORDINALITY AS k (key, place)
              ${isStaged ? `JOIN ${this.#stage.name} s ON s.c0 = k.place` : ''}
        WHERE t.${key} = k.key`,
      isNamed ? [keys, field] : [keys],
    );
    if (updated !== rowCount) throw new Error(`${updated} of ${rowCount} rows were found by their keys`);
  }
}

/** Encodes a row for each value that fits or is null: its index in the page, from 1, and the field. */
function writeRows(
  values: PromotedValues,
  page: readonly ExtraValue[],
  output: Output,
): Omit<PromotionStep, 'afterKey'> & { readonly copy: Buffer; readonly rowCount: number } {
  const left: Record<string, number> = {};
  const counts = { fits: 0, null: 0 };
  output.reset();
  output.writeBytes(copyHeader);
  for (const [index, { json }] of page.entries()) {
    const start = output.position;
    output.writeInt16(2);
    output.writeInt32(4);
    output.writeInt32(index + 1);
    const { fate, type } = values.write(json, output);
    if (fate === 'fits' || fate === 'null') {
      counts[fate]++;
      continue;
    }
    output.position = start;
    const name = type ?? unknownType;
    left[name] = (left[name] ?? 0) + 1;
  }
  output.writeInt16(copyTrailer);
  const copy = output.bytes.subarray(0, output.position);
  return {
    ...{ copy, rowCount: counts.fits + counts.null },
    ...{ promoted: counts.fits, nulls: counts.null, left },
  };
}
