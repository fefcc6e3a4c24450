/** Compares the rows that a batch should have become with those of the table, by key and by Postgres's own `IS DISTINCT FROM`. */

import { createHash } from 'node:crypto';
import pg from 'pg';
import type { ColumnDifference } from '../events.ts';
import type { Batch, WorkerSettings } from '../pool/protocol.ts';
import type { ValueKind } from '../plan/column-target.ts';
import type { Plan } from '../plan/plan.ts';
import { DocumentCursor } from '../transcode/bson.ts';
import { copyId, describeId } from '../transcode/document-id.ts';
import { compareChildren } from './child-comparison.ts';
import { copyRows } from './copy.ts';
import { copyColumns, qualifiedName, stagedValues, stageTypes } from './ddl.ts';
import type { LoadableBatch } from './load.ts';
import type { Session } from './session.ts';

/** A document whose row is missing, or differs. */
export interface Difference {
  readonly kind: 'missing' | 'different';
  /** The document's `_id` in canonical Extended JSON, and as a BSON document. */
  readonly id: string | null;
  readonly idBson: Uint8Array;
  /** Tells, when the document is read again, whether it is still the same. */
  readonly documentHash: string;
  /** Empty for a missing row. */
  readonly columns: readonly ColumnDifference[];
}

/** What the comparison of one batch found; `documents` is the sum of all counts. */
export interface Comparison {
  readonly equal: number;
  readonly missing: number;
  readonly different: number;
  /** Documents that are among the ledger's dead letters, and so need no row. */
  readonly deadLettered: number;
  /** Details of the first of those that are missing or different. */
  readonly differences: readonly Difference[];
}

/** So many are told of one batch: whoever has more has seen enough to know what is wrong. */
const maxDetailed = 20;
const maxShownCharacters = 200;
export const expectedTable = 'pg_temp.mongo2pg_expected';

interface DifferingRow {
  readonly row: number;
  readonly isMissing: boolean;
  /** Places in `copyColumns`. */
  readonly columns: number[];
}

export class Comparer {
  readonly #session: Session;
  readonly #plan: Plan;
  readonly #runId: string;
  readonly #statement: string;

  constructor(session: Session, { plan, runId }: Pick<WorkerSettings, 'plan' | 'runId'>) {
    this.#session = session;
    this.#plan = plan;
    this.#runId = runId;
    this.#statement = differingRowsStatement(plan);
  }

  /** @throws TargetError, or the error of Postgres as it is */
  async compare(batch: Batch, encoded: LoadableBatch): Promise<Comparison> {
    return await this.#session.transaction(async (client) => {
      await fillExpected(client, this.#plan, encoded);
      // A batch is small beside its table, of which the planner would else read all for want of statistics.
      if (await hasKeyIndex(client, this.#plan)) {
        await client.query('SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off');
      }
      const { rows } =
        encoded.copied === 0 ? { rows: [] } : await client.query<DifferingRow>(this.#statement);
      const ofChildren = await compareChildren(client, this.#plan, encoded.children);
      const differing = new Set(rows.map(({ row }) => row));
      const others = [...ofChildren.keys()].filter((row) => !differing.has(row));
      const all = [...rows, ...others.map((row) => ({ row, isMissing: false, columns: [] }))];
      return await this.#describe(client, batch, encoded, all, ofChildren);
    });
  }

  async #describe(
    client: pg.Client,
    batch: Batch,
    encoded: LoadableBatch,
    rows: readonly DifferingRow[],
    ofChildren: ReadonlyMap<number, readonly ColumnDifference[]>,
  ): Promise<Comparison> {
    const suspects = listSuspects(batch, encoded, rows);
    const letters = await this.#findLetters(client, suspects);
    const wrong = suspects.filter((suspect) => suspect.row?.isMissing === false || !letters.has(suspect.id));
    const detailed = wrong.slice(0, maxDetailed);
    const values = await readValues(client, this.#plan, detailed);
    const missing = wrong.filter(({ row }) => row?.isMissing !== false).length;
    return {
      equal: encoded.documents - suspects.length,
      missing,
      different: wrong.length - missing,
      deadLettered: suspects.length - wrong.length,
      differences: detailed.map(({ id, idBson, documentHash, row }) => ({
        kind: row?.isMissing === false ? 'different' : 'missing',
        id,
        idBson,
        documentHash,
        columns: row === null ? [] : [...(values.get(row.row) ?? []), ...(ofChildren.get(row.row) ?? [])],
      })),
    };
  }

  /** Which of the ids are among the run's dead letters. */
  async #findLetters(client: pg.Client, suspects: readonly Suspect[]): Promise<Set<string | null>> {
    const ids = suspects.filter(({ row }) => row?.isMissing !== false).map(({ id }) => id);
    if (ids.length === 0) return new Set();
    const { rows } = await client.query<{ id: string }>(
      'SELECT document_id AS id FROM mongo2pg.dead_letters WHERE run_id = $1 AND document_id = ANY ($2)',
      [this.#runId, ids],
    );
    return new Set(rows.map(({ id }) => id));
  }
}

/** A document without a row of its own kind: it made a dead letter now (`row` is null), or its row is not right. */
interface Suspect {
  readonly id: string | null;
  readonly idBson: Uint8Array;
  readonly documentHash: string;
  readonly row: DifferingRow | null;
}

function listSuspects(batch: Batch, encoded: LoadableBatch, rows: readonly DifferingRow[]): Suspect[] {
  const byRow = new Map(rows.map((row) => [row.row, row]));
  const withoutRow = new Set(encoded.deadLetters.map(({ ordinal }) => ordinal));
  const suspects: Suspect[] = [];
  if (rows.length === 0 && withoutRow.size === 0) return suspects;
  const cursor = new DocumentCursor(batch.documents);
  for (let ordinal = 0, next = 0; cursor.next(); ordinal++) {
    const isLetter = withoutRow.has(ordinal);
    const row = isLetter ? null : byRow.get(next++);
    if (row === undefined) continue;
    const document = batch.documents.subarray(cursor.start, cursor.end);
    suspects.push({
      id: batch.deadly === undefined ? describeId(document) : describeId(batch.lastId),
      idBson: (batch.deadly === undefined ? copyId(document) : null) ?? batch.lastId,
      documentHash: hashDocument(document),
      row,
    });
  }
  return suspects;
}

export function hashDocument(document: Uint8Array): string {
  return createHash('sha256').update(document).digest('base64');
}

/** The rows as they should be, in a temporary table that is empty again after the transaction. */
export async function fillExpected(client: pg.Client, plan: Plan, encoded: LoadableBatch): Promise<void> {
  await fillTable(client, expectedTable, plan, encoded.copied > 0 ? encoded.copy : null);
}

/** @param copy null where there is no row */
export async function fillTable(
  client: pg.Client,
  name: string,
  plan: Plan,
  copy: Buffer | null,
): Promise<void> {
  const columns = stageTypes(plan)
    .map((type, index) => `c${index} ${type}`)
    .join(', ');
  const { rows } = await client.query<{ shape: string | null }>(
    `SELECT obj_description(to_regclass('${name}')) AS shape`,
  );
  // Another run has other columns.
  if (rows[0]?.shape !== columns) {
    await client.query(`DROP TABLE IF EXISTS ${name}`);
    await client.query(`CREATE TABLE ${name} (${columns}) ON COMMIT DELETE ROWS`);
    await client.query(`COMMENT ON TABLE ${name} IS ${pg.escapeLiteral(columns)}`);
  }
  if (copy !== null) await copyRows(client, `COPY ${name} FROM STDIN (FORMAT binary)`, copy);
}

/** The place of the key among `copyColumns`. */
export function keyIndex(plan: Plan): number {
  return plan.columns.findIndex(({ field, path }) => field === '_id' && path === undefined);
}

export function keyColumn(plan: Plan): string {
  return plan.columns[keyIndex(plan)]?.column ?? '_id';
}

async function hasKeyIndex(client: pg.Client, plan: Plan): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = $1::regclass AND i.indisvalid AND i.indpred IS NULL AND a.attname = $2 LIMIT 1`,
    [qualifiedName(plan), keyColumn(plan)],
  );
  return (rowCount ?? 0) > 0;
}

function differingRowsStatement(plan: Plan): string {
  const key = keyIndex(plan);
  const keyName = pg.escapeIdentifier(keyColumn(plan));
  const expectedValues = stagedValues(plan, 'e.');
  const distinct = copyColumns(plan).map((column, index) => {
    const values = [expectedValues[index] ?? '', `t.${pg.escapeIdentifier(column)}`];
    return values
      .map((value) => (isComparedAsText(plan, index) ? `(${value})::text` : value))
      .join(' IS DISTINCT FROM ');
  });
  const others = distinct.filter((_, index) => index !== key);
  const places = distinct.map((condition, index) => `CASE WHEN ${condition} THEN ${index} END`);
  return `
    WITH numbered AS MATERIALIZED (
      SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, * FROM ${expectedTable})
    SELECT DISTINCT ON (row_no) row_no::int AS row, t.${keyName} IS NULL AS "isMissing",
           array_remove(ARRAY[${places.join(', ')}], NULL) AS columns
      FROM numbered e LEFT JOIN ${qualifiedName(plan)} t ON t.${keyName} = ${expectedValues[key] ?? ''}
     WHERE t.${keyName} IS NULL OR ${others.length === 0 ? 'false' : others.join(' OR ')}
     ORDER BY row_no`;
}

/** Types that have no operator `=`, or one that takes values for equal which are not the same. */
const kindsComparedAsText: readonly (ValueKind | undefined)[] = ['json', 'form', 'text'];

function isComparedAsText({ columns }: Plan, index: number): boolean {
  const target = columns[index]?.target;
  return kindsComparedAsText.includes(target?.element?.kind ?? target?.kind);
}

/** Both values of each column that differs, by row. */
async function readValues(
  client: pg.Client,
  plan: Plan,
  suspects: readonly Suspect[],
): Promise<Map<number, ColumnDifference[]>> {
  const wanted = suspects.flatMap(({ row }) => (row?.isMissing === false ? [row] : []));
  const values = new Map<number, ColumnDifference[]>();
  if (wanted.length === 0) return values;
  const names = copyColumns(plan);
  const expectedValues = stagedValues(plan, 'e.');
  const differing = [...new Set(wanted.flatMap(({ columns }) => columns))];
  const shown = differing.flatMap((index) => [
    `left((${expectedValues[index] ?? ''})::text, ${maxShownCharacters}) AS e${index}`,
    `left(t.${pg.escapeIdentifier(names[index] ?? '')}::text, ${maxShownCharacters}) AS t${index}`,
  ]);
  if (shown.length === 0) return values;
  const keyName = pg.escapeIdentifier(keyColumn(plan));
  const { rows } = await client.query<Record<string, string | null> & { row: number }>(
    `WITH numbered AS (SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, * FROM ${expectedTable})
     SELECT DISTINCT ON (row_no) row_no::int AS row, ${shown.join(', ')}
       FROM numbered e JOIN ${qualifiedName(plan)} t ON t.${keyName} = ${expectedValues[keyIndex(plan)] ?? ''}
      WHERE row_no = ANY ($1) ORDER BY row_no`,
    [wanted.map(({ row }) => row)],
  );
  for (const row of rows) {
    const columns = wanted.find((candidate) => candidate.row === row.row)?.columns ?? [];
    const differences = columns.map((index) => ({
      column: names[index] ?? '',
      expected: row[`e${index}`] ?? null,
      actual: row[`t${index}`] ?? null,
    }));
    values.set(row.row, differences);
  }
  return values;
}
