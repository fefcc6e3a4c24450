/** Compares the rows that a batch should have become with those of the table, by key and by Postgres's own `IS DISTINCT FROM`. */

import pg from 'pg';
import type { Comparison } from '../../observe/comparison.ts';
import type { ColumnDifference } from '../../observe/events.ts';
import type { Plan } from '../../transcode/plan.ts';
import type { Batch } from '../../source/page.ts';
import { DocumentCursor } from '../../bson/cursor.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import { copyId } from '../../bson/document-id.ts';
import { hashDocument } from '../../bson/document-hash.ts';
import { compareChildren, type ChildComparison } from './child-comparison.ts';
import { explainDatabaseError } from '../connection/connection.ts';
import { copyColumns, stagedValues } from '../table/ddl.ts';
import { findLetters } from '../ledger/dead-letters.ts';
import { withExpected, type Staged } from './expected-documents.ts';
import {
  expectedTable,
  fillExpected,
  isComparedAsText,
  hasIndexOn,
  isDistinct,
  keyColumn,
  keyIndex,
  type Stretch,
} from './expected-rows.ts';
import type { LoadableBatch } from '../load/loadable-batch.ts';
import type { Session } from '../connection/session.ts';
import { maxNamed, maxReadCharacters, showValues } from './shown-values.ts';
import { emptyStages } from '../load/stage.ts';
import type { WorkerSettings } from '../worker-settings.ts';
import { qualifiedName } from '../connection/relations.ts';

/** Hears of the `_id`s, as BSON documents, of all documents whose rows are missing or differ. */
export type WrongListener = (client: pg.Client, ids: readonly Uint8Array[]) => Promise<void>;

interface DifferingRow {
  readonly row: number;
  readonly isMissing: boolean;
  /** Places in `copyColumns`. */
  readonly columns: number[];
}

/** The rows of a batch that are not as they should be, and what its rows in child tables are like. */
interface Differing {
  readonly rows: readonly DifferingRow[];
  readonly ofChildren: ChildComparison;
}

export class Comparer {
  readonly #session: Session;
  readonly #settings: Pick<WorkerSettings, 'plan' | 'runId' | 'postgresUrl'>;
  readonly #plan: Plan;
  readonly #onWrong: WrongListener;
  readonly #countStatement: string;
  readonly #statement: string;

  /** @param onWrong called in the transaction that compares */
  constructor(
    session: Session,
    settings: Pick<WorkerSettings, 'plan' | 'runId' | 'postgresUrl'>,
    onWrong: WrongListener = () => Promise.resolve(),
  ) {
    this.#onWrong = onWrong;
    this.#session = session;
    this.#settings = settings;
    this.#plan = settings.plan;
    this.#countStatement = countStatement(settings.plan);
    this.#statement = differingRowsStatement(settings.plan);
  }

  /** @throws TargetError */
  async compare(batch: Batch, encoded: LoadableBatch): Promise<Comparison> {
    const { plan, runId, postgresUrl } = this.#settings;
    try {
      return await withExpected(this.#session, { plan, runId, batch, encoded }, (client, staged) =>
        this.#compareStaged(client, batch, encoded, staged),
      );
    } catch (error) {
      // The same for every worker: none is to die of it, and no document to be suspected.
      throw explainDatabaseError(error, postgresUrl);
    }
  }

  async #compareStaged(
    client: pg.Client,
    batch: Batch,
    encoded: LoadableBatch,
    { unfit, isInOrder }: Staged,
  ): Promise<Comparison> {
    const stretch = await readStretch(client, this.#plan);
    const isEqual = encoded.rowCount === 0 || (await this.#isEqual(client, stretch));
    let rows = isEqual ? [] : await this.#findDiffering(client);
    const ofChildren = await compareChildren(client, this.#plan, encoded.children, isEqual ? stretch : null);
    let { differences } = ofChildren;
    if (rows.length + differences.size > 0 && !isInOrder) {
      // Which documents they are of: COPY may have put some rows where earlier pages had room. Few batches need it.
      await emptyStages(client, [{ name: expectedTable, plan: this.#plan }]);
      await fillExpected(client, this.#plan, encoded);
      if (!isEqual) rows = await this.#findDiffering(client);
      ({ differences } = await compareChildren(client, this.#plan, encoded.children, null));
    }
    const differing = new Set(rows.map(({ row }) => row));
    const others = [...differences.keys()].filter((row) => !differing.has(row));
    const found: Differing = {
      rows: [...rows, ...others.map((row) => ({ row, isMissing: false, columns: [] }))],
      ofChildren: { rows: ofChildren.rows, differences },
    };
    const withoutRow = [...encoded.deadLetters.map(({ ordinal }) => ordinal), ...unfit];
    return await this.#describe(client, encoded, listSuspects(batch, withoutRow, found.rows), found);
  }

  /**
   * Whether every row that should be there is, and is as it should be; `differingRowsStatement` then need not ask which
   * are not. Given the first key and the last, Postgres reads that stretch of the index at once, instead of looking up
   * one row after the other: a tenth of the work. Should the two be wrong, because a type does not come back from its
   * text as it was, then rows only seem to be missing, which the other statement does not believe.
   */
  async #isEqual(client: pg.Client, { first, last }: Stretch): Promise<boolean> {
    const { rows } = await client.query<{ count: string }>(this.#countStatement, [first, last]);
    return rows[0]?.count === '0';
  }

  async #findDiffering(client: pg.Client): Promise<DifferingRow[]> {
    // A batch is small beside its table, of which the planner would else read all for want of statistics.
    const looksUp = await hasIndexOn(client, this.#plan, keyColumn(this.#plan));
    if (looksUp) await client.query('SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off');
    const { rows } = await client.query<DifferingRow>(this.#statement);
    if (looksUp) await client.query('SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on');
    return rows;
  }

  async #describe(
    client: pg.Client,
    encoded: LoadableBatch,
    suspects: readonly Suspect[],
    { ofChildren }: Differing,
  ): Promise<Comparison> {
    const letters = await this.#findLetters(client, suspects);
    const wrong = suspects.filter((suspect) => !letters.has(suspect));
    if (wrong.length > 0) {
      await this.#onWrong(
        client,
        wrong.map(({ idBson }) => idBson),
      );
    }
    const detailed = wrong.slice(0, maxNamed);
    const values = await readValues(client, this.#plan, detailed);
    const missing = wrong.filter(({ row }) => row?.isMissing !== false).length;
    return {
      equal: encoded.documentCount - suspects.length,
      missing,
      different: wrong.length - missing,
      deadLettered: suspects.length - wrong.length,
      childRows: ofChildren.rows,
      differences: detailed.map(({ id, idBson, documentHash, row }) => ({
        kind: row?.isMissing === false ? 'different' : 'missing',
        id,
        idBson,
        documentHash,
        columns:
          row === null
            ? []
            : [...(values.get(row.row) ?? []), ...(ofChildren.differences.get(row.row) ?? [])],
      })),
    };
  }

  /** Those without a row that are among the run's dead letters. */
  async #findLetters(client: pg.Client, suspects: readonly Suspect[]): Promise<Set<Suspect>> {
    const withoutRow = suspects.filter(({ row }) => row?.isMissing !== false);
    const isLetter = await findLetters(client, this.#settings.runId, withoutRow);
    return new Set(withoutRow.filter((_, index) => isLetter[index]));
  }
}

/** A document that cannot be a row (`row` is null), or whose row is not right. */
interface Suspect {
  readonly id: string | null;
  readonly idBson: Uint8Array;
  readonly documentHash: string;
  readonly row: DifferingRow | null;
}

/** @param withoutRow the positions in the batch of documents that cannot be rows; the rows are those of the others */
function listSuspects(batch: Batch, withoutRow: readonly number[], rows: readonly DifferingRow[]): Suspect[] {
  const byRow = new Map(rows.map((row) => [row.row, row]));
  const cannotBe = new Set(withoutRow);
  const suspects: Suspect[] = [];
  if (rows.length === 0 && cannotBe.size === 0) return suspects;
  const cursor = new DocumentCursor(batch.bytes);
  for (let ordinal = 0, next = 0; cursor.next(); ordinal++) {
    const row = cannotBe.has(ordinal) ? null : byRow.get(next++);
    if (row === undefined) continue;
    const document = batch.bytes.subarray(cursor.start, cursor.end);
    suspects.push({
      id: batch.deadly === undefined ? describeId(document) : describeId(batch.last),
      idBson: (batch.deadly === undefined ? copyId(document) : null) ?? batch.last,
      documentHash: hashDocument(document),
      row,
    });
  }
  return suspects;
}

async function readStretch(client: pg.Client, plan: Plan): Promise<Stretch> {
  const key = stagedValues(plan)[keyIndex(plan)] ?? '';
  // Not min() and max(), which some types that have an order do not have.
  const end = (direction: string): string =>
    `(SELECT (${key})::text FROM ${expectedTable} ORDER BY ${key} ${direction} NULLS LAST LIMIT 1)`;
  // Where the keys lie scattered, looking up rows is less work than it is said to be: the stretch is most of the table.
  const { rows } = await client.query<Stretch>(
    `SELECT ${end('ASC')} AS first, ${end('DESC')} AS last, set_config('random_page_cost', '1.1', true)`,
  );
  return rows[0] ?? { first: null, last: null };
}

/** $1 and $2 are the ends of the keys. To be counted in full: for the first one alone the planner would look up rows. */
function countStatement(plan: Plan): string {
  const key = `t.${pg.escapeIdentifier(keyColumn(plan))}`;
  return `
    SELECT count(*) AS count
      FROM ${expectedTable} e LEFT JOIN ${qualifiedName(plan)} t
        ON ${key} = ${stagedValues(plan, 'e.')[keyIndex(plan)] ?? ''} AND ${key} BETWEEN $1 AND $2
     WHERE ${isWrong(plan, distinctConditions(plan))}`;
}

function differingRowsStatement(plan: Plan): string {
  const key = keyIndex(plan);
  const keyName = pg.escapeIdentifier(keyColumn(plan));
  const distinct = distinctConditions(plan);
  // What a collation takes for the same key is that of another document.
  const exactly = isComparedAsText(plan, key) ? ` AND NOT (${distinct[key] ?? ''})` : '';
  const places = distinct.map((condition, index) => `CASE WHEN ${condition} THEN ${index} END`);
  return `
    WITH numbered AS MATERIALIZED (
      SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, * FROM ${expectedTable})
    SELECT DISTINCT ON (e.row_no) e.row_no::int AS row, t.${keyName} IS NULL AS "isMissing",
           array_remove(ARRAY[${places.join(', ')}], NULL) AS columns
      FROM numbered e LEFT JOIN ${qualifiedName(plan)} t ON t.${keyName} = ${stagedValues(plan, 'e.')[key] ?? ''}${exactly}
     WHERE ${isWrong(plan, distinct)}
     ORDER BY e.row_no`;
}

/** For each of `copyColumns` whether its value in the row `t` is not that of the row `e`. */
function distinctConditions(plan: Plan): string[] {
  const expectedValues = stagedValues(plan, 'e.');
  return copyColumns(plan).map((column, index) =>
    isDistinct(plan, index, expectedValues[index] ?? '', `t.${pg.escapeIdentifier(column)}`),
  );
}

function isWrong(plan: Plan, distinct: readonly string[]): string {
  const key = keyIndex(plan);
  // The rows were joined by the key, which says all of it unless it is text.
  const asked = distinct.filter((_, index) => index !== key || isComparedAsText(plan, key));
  return [`t.${pg.escapeIdentifier(keyColumn(plan))} IS NULL`, ...asked].join(' OR ');
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
    `left((${expectedValues[index] ?? ''})::text, ${maxReadCharacters}) AS e${index}`,
    `left(t.${pg.escapeIdentifier(names[index] ?? '')}::text, ${maxReadCharacters}) AS t${index}`,
  ]);
  if (shown.length === 0) return values;
  const keyName = pg.escapeIdentifier(keyColumn(plan));
  const { rows } = await client.query<Record<string, string | null> & { row: number }>(
    `WITH numbered AS (SELECT row_number() OVER (ORDER BY ctid) - 1 AS row_no, * FROM ${expectedTable})
     SELECT DISTINCT ON (e.row_no) e.row_no::int AS row, ${shown.join(', ')}
       FROM numbered e JOIN ${qualifiedName(plan)} t ON t.${keyName} = ${expectedValues[keyIndex(plan)] ?? ''}
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
