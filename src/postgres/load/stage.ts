/**
 * Fills temporary tables with the columns of a plan's tables and none of their constraints. Finds the documents whose rows are
 * rejected even there, by bisecting what Postgres rejects.
 */

import pg from 'pg';
import { isIdColumn, type Plan } from '../../transcode/plan.ts';
import { CopyRows } from '../../transcode/copy/copy-rows.ts';
import type { EncodedBatch } from '../../transcode/row.ts';
import { copyRows } from './copy.ts';
import { copyColumns, createStageStatement, stageColumns } from '../table/ddl.ts';
import { isRefusal } from '../connection/transient-errors.ts';

/** A document whose row Postgres rejected. */
export interface Refusal {
  /** The document's position in the batch, from 0. */
  readonly ordinal: number;
  /** The SQLSTATE. */
  readonly code: string;
  readonly column: string | null;
  readonly detail: string;
}

/** A table of the plan, and the temporary one for its rows. */
export interface Stage {
  readonly name: string;
  readonly plan: Plan;
}

/** What is staged of a batch. */
export interface StageableBatch extends Pick<
  EncodedBatch,
  'copy' | 'rowCount' | 'documentCount' | 'children'
> {
  readonly deadLetters: readonly { readonly ordinal: number }[];
  /** For each row the document that it was made from, if some have become several rows. */
  readonly sources?: { readonly ofRows: readonly number[] };
}

/**
 * Creates the table, unless the session has it already.
 * @returns whether it was created: it was missing, or had the columns of another plan
 */
export async function ensureStage(client: pg.Client, { name, plan }: Stage): Promise<boolean> {
  const columns = stageColumns(plan);
  const { rows } = await client.query<{ columns: string | null }>(
    `SELECT obj_description(to_regclass('${name}')) AS columns`,
  );
  if (rows[0]?.columns === columns) return false;
  await client.query(`DROP TABLE IF EXISTS ${name}`);
  await client.query(createStageStatement(name, plan));
  await client.query(`COMMENT ON TABLE ${name} IS ${pg.escapeLiteral(columns)}`);
  return true;
}

/**
 * Empties the tables before they are filled, so that rows are stored in the order in which they arrive: COPY fills free space in
 * earlier pages, except in a table that was truncated in the same transaction.
 */
export async function emptyStages(client: pg.Client, stages: readonly Stage[]): Promise<void> {
  await client.query(`TRUNCATE ${stages.map(({ name }) => name).join(', ')}`);
}

export function copyToStage(client: pg.Client, { name }: Stage, copy: Buffer): Promise<number> {
  return copyRows(client, `COPY ${name} FROM STDIN (FORMAT binary)`, copy);
}

/** The documents of a batch that have rows. Any part of them can be staged, with all of their rows. */
export class StagedDocuments {
  /** The position of each in the batch. */
  readonly ordinals: readonly number[];
  readonly #client: pg.Client;
  readonly #tables: readonly StagedTable[];

  /** @param stages for the plan's main table, and for its child tables */
  constructor(client: pg.Client, stages: readonly Stage[], batch: StageableBatch) {
    this.#client = client;
    this.ordinals = listOrdinals(batch);
    const [own, ...ofChildren] = stages;
    if (own === undefined) throw new RangeError('a plan has a table of its own');
    this.#tables = [
      { stage: own, rows: new CopyRows(batch.copy, batch.rowCount), begins: null },
      ...ofChildren.map((stage, index) => {
        const child = batch.children[index];
        if (child === undefined) throw new RangeError(`no rows were encoded for ${stage.plan.table}`);
        const begins = findBegins(child.parents, this.ordinals);
        return { stage, rows: new CopyRows(child.copy, child.rowCount), begins };
      }),
    ];
  }

  /**
   * To be called in a transaction, with empty stages.
   * @returns documents that could not be staged
   * @throws the error of Postgres when it concerns more than single rows
   */
  async stage(first = 0, last = this.ordinals.length): Promise<Refusal[]> {
    const client = this.#client;
    let current = this.#tables[0];
    await client.query('SAVEPOINT stage_rows');
    try {
      for (current of this.#tables) await this.#copyPart(current, first, last);
      await client.query('RELEASE SAVEPOINT stage_rows');
      return [];
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await client.query('ROLLBACK TO SAVEPOINT stage_rows; RELEASE SAVEPOINT stage_rows');
      const ordinal = this.ordinals[first] ?? -1;
      if (last - first === 1) return [describeRefusal(error, ordinal, current?.stage.plan)];
      const middle = (first + last) >> 1;
      return [...(await this.stage(first, middle)), ...(await this.stage(middle, last))];
    }
  }

  async #copyPart({ stage, rows, begins }: StagedTable, first: number, last: number): Promise<void> {
    const [from = 0, until = 0] = begins === null ? [first, last] : [begins[first], begins[last]];
    if (from < until) await copyToStage(this.#client, stage, rows.slice(from, until));
  }
}

/** The parts between places whose ordinals are among `left`; some are empty. */
export function partsWithout(
  ordinals: readonly number[],
  left: ReadonlySet<number>,
): [first: number, last: number][] {
  const parts: [number, number][] = [];
  let first = 0;
  for (const [index, ordinal] of ordinals.entries()) {
    if (!left.has(ordinal)) continue;
    parts.push([first, index]);
    first = index + 1;
  }
  return [...parts, [first, ordinals.length]];
}

interface StagedTable {
  readonly stage: Stage;
  readonly rows: CopyRows;
  /** The first row of each document, and at the end the number of rows. Null if each document has one row. */
  readonly begins: readonly number[] | null;
}

function listOrdinals({ documentCount, deadLetters }: StageableBatch): number[] {
  const without = new Set(deadLetters.map(({ ordinal }) => ordinal));
  return Array.from({ length: documentCount }, (_, ordinal) => ordinal).filter(
    (ordinal) => !without.has(ordinal),
  );
}

function findBegins(parents: readonly number[], ordinals: readonly number[]): number[] {
  let row = 0;
  const begins = ordinals.map((ordinal) => {
    while ((parents[row] ?? ordinal) < ordinal) row++;
    return row;
  });
  return [...begins, parents.length];
}

/** Matches the end of `COPY stage, line 1, column c4`, in any language of the server. */
const columnPattern = /\bc(\d+)(?=:|$)/;

/** The routine in which Postgres rejects an index entry that is too long. The only index of a stage is that of the key. */
const indexRoutine = /^(index_form_tuple|_bt_)/;

function describeRefusal(error: pg.DatabaseError, ordinal: number, plan: Plan | undefined): Refusal {
  return { ordinal, code: error.code ?? '', column: findColumn(error, plan), detail: error.message };
}

function findColumn({ where = '', routine = '' }: pg.DatabaseError, plan: Plan | undefined): string | null {
  if (plan === undefined) return null;
  if (indexRoutine.test(routine)) return plan.columns.find(isIdColumn)?.column ?? null;
  const place = columnPattern.exec(where)?.[1];
  return place === undefined ? null : (copyColumns(plan)[Number(place)] ?? null);
}
