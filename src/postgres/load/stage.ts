/**
 * Fills temporary tables that have the columns of a plan's tables and none of their constraints, and finds the documents
 * whose rows not even these take: what Postgres refuses is tried again in halves, down to the single document.
 */

import pg from 'pg';
import { isIdColumn, type Plan } from '../../transcode/plan.ts';
import { CopyRows } from '../../transcode/copy/copy-rows.ts';
import type { EncodedBatch } from '../../transcode/row.ts';
import { copyRows } from './copy.ts';
import { copyColumns, createStageStatement, stageColumns } from '../table/ddl.ts';
import { isRefusal } from '../connection/transient-errors.ts';

/** A document whose row Postgres refused. */
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
  /** Of each row the document that it is of, where some have become several. */
  readonly sources?: { readonly ofRows: readonly number[] };
}

/**
 * Makes the table, unless the session has it already.
 * @returns whether it was made: it was not there, or had the columns of another plan
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
 * Empties the tables before they are filled, so that their rows stand in the order in which they come: only in a table
 * that is new to the transaction does COPY not look for room in earlier pages.
 */
export async function emptyStages(client: pg.Client, stages: readonly Stage[]): Promise<void> {
  await client.query(`TRUNCATE ${stages.map(({ name }) => name).join(', ')}`);
}

export function copyToStage(client: pg.Client, { name }: Stage, copy: Buffer): Promise<number> {
  return copyRows(client, `COPY ${name} FROM STDIN (FORMAT binary)`, copy);
}

/** The documents of a batch that have rows; any part of them can be staged with all that belongs to each. */
export class StagedDocuments {
  /** Of each the position in the batch. */
  readonly ordinals: readonly number[];
  readonly #client: pg.Client;
  readonly #tables: readonly StagedTable[];

  /** @param stages for the plan's own table, and those for its children */
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
   * @returns those that could not be staged
   * @throws the error of Postgres when it is about more than single rows
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

/** The stretches of places whose ordinals are not among `left`; some are empty. */
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
  /** Of each document which row is its first, and at the end how many there are. Null where each has one row. */
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

/** The place at the end of `COPY stage, line 1, column c4`, whatever the language of the server. */
const columnPattern = /\bc(\d+)(?=:|$)/;

/** Where Postgres finds that an entry is too long for an index; the only one that a stage has is that of the key. */
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
