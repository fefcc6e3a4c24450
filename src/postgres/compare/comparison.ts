/** Compares the expected rows of a batch with those of the table, by key and by `IS DISTINCT FROM`. */

import type pg from 'pg';
import type { Comparison } from '../../observe/comparison.ts';
import type { Plan } from '../../transcode/plan.ts';
import type { Batch } from '../../source/page.ts';
import { DocumentCursor } from '../../bson/cursor.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import { copyId } from '../../bson/document-id.ts';
import { hashDocument } from '../../bson/document-hash.ts';
import { readActualRows, type ActualRows } from './actual-rows.ts';
import { compareChildren, type ChildComparison } from './child-comparison.ts';
import { explainDatabaseError } from '../connection/connection.ts';
import { findLetters } from '../ledger/dead-letters.ts';
import { withExpected, type Staged } from './expected-documents.ts';
import { expectedTable, fillExpected } from './expected-rows.ts';
import { RowComparison, type DifferingRow } from './row-comparison.ts';
import { accountOf, listLetters, sourceOf, type LoadableBatch } from '../load/loadable-batch.ts';
import type { Session } from '../connection/session.ts';
import { maxNamed } from './shown-values.ts';
import { emptyStages } from '../load/stage.ts';
import type { WorkerSettings } from '../worker-settings.ts';

/** A document whose row is missing or differs. */
export interface WrongDocument {
  /** `{_id: …}` as BSON. */
  readonly idBson: Uint8Array;
  readonly documentHash: string;
}

/** Called for each compared batch, with all of its documents whose rows are missing or differ. */
export type ComparisonListener = (
  client: pg.Client,
  wrong: readonly WrongDocument[],
  batch: Batch,
) => Promise<void>;

/** The rows of a batch that differ, and the result for its child tables. */
interface Differing {
  readonly rows: readonly DifferingRow[];
  readonly ofChildren: ChildComparison;
}

/** How a batch is compared, and with which rows. Known once the table was inspected. */
interface Sides {
  readonly rows: RowComparison;
  readonly actual: ActualRows;
}

export class Comparer {
  readonly #session: Session;
  readonly #settings: Pick<WorkerSettings, 'plan' | 'runId' | 'postgresUrl'>;
  readonly #plan: Plan;
  readonly #onCompared: ComparisonListener;
  #sides: Sides | undefined;

  /** @param onCompared called in the transaction that compares */
  constructor(
    session: Session,
    settings: Pick<WorkerSettings, 'plan' | 'runId' | 'postgresUrl'>,
    onCompared: ComparisonListener = () => Promise.resolve(),
  ) {
    this.#onCompared = onCompared;
    this.#session = session;
    this.#settings = settings;
    this.#plan = settings.plan;
  }

  /** @throws TargetError */
  async compare(batch: Batch, encoded: LoadableBatch): Promise<Comparison> {
    const { plan, runId, postgresUrl } = this.#settings;
    try {
      return await withExpected(this.#session, { plan, runId, batch, encoded }, (client, staged) =>
        this.#compareStaged(client, batch, encoded, staged),
      );
    } catch (error) {
      // Every worker would fail in this way, so that the batch is not to blame.
      throw explainDatabaseError(error, postgresUrl);
    }
  }

  async #compareStaged(
    client: pg.Client,
    batch: Batch,
    encoded: LoadableBatch,
    { unfit, isInOrder }: Staged,
  ): Promise<Comparison> {
    const plan = this.#plan;
    const { rows: comparison, actual } = await this.#readSides(client);
    const stretch = await comparison.readStretch(client);
    await actual.fetch(client, plan, stretch);
    const isEqual = encoded.rowCount === 0 || (await comparison.isEqual(client, stretch));
    if (!isEqual) await actual.fetch(client, plan, null);
    let rows = isEqual ? [] : await comparison.findDiffering(client);
    const around = isEqual ? stretch : null;
    const ofChildren = await compareChildren(client, plan, encoded.children, around, actual);
    let { differences } = ofChildren;
    if (rows.length + differences.size > 0 && !isInOrder) {
      // Reads which rows belong to which documents, since COPY may have stored rows out of order. Few batches need this.
      await emptyStages(client, [{ name: expectedTable, plan }]);
      await fillExpected(client, plan, encoded);
      if (!isEqual) rows = await comparison.findDiffering(client);
      ({ differences } = await compareChildren(client, plan, encoded.children, null, actual));
    }
    const differing = new Set(rows.map(({ row }) => row));
    const others = [...differences.keys()].filter((row) => !differing.has(row));
    const found: Differing = {
      rows: [...rows, ...others.map((row) => ({ row, isMissing: false, columns: [] }))],
      ofChildren: { rows: ofChildren.rows, differences },
    };
    return await this.#describe(
      client,
      { batch, encoded },
      listSuspects(batch, findSuspicious(encoded, unfit, found.rows)),
      found,
      unfit.length,
    );
  }

  async #readSides(client: pg.Client): Promise<Sides> {
    if (this.#sides !== undefined) return this.#sides;
    const actual = await readActualRows(client, this.#plan);
    this.#sides = { rows: new RowComparison(this.#plan, actual), actual };
    return this.#sides;
  }

  async #describe(
    client: pg.Client,
    { batch, encoded }: { readonly batch: Batch; readonly encoded: LoadableBatch },
    suspects: readonly Suspect[],
    { rows, ofChildren }: Differing,
    unfitCount: number,
  ): Promise<Comparison> {
    const { documentCount, dropped } = accountOf(encoded);
    const letters = await this.#findLetters(client, suspects);
    const wrong = suspects.filter((suspect) => !letters.has(suspect));
    await this.#onCompared(client, wrong, batch);
    const detailed = wrong.slice(0, maxNamed);
    const present = detailed.flatMap(({ row }) => (row?.isMissing === false ? [row] : []));
    const { rows: comparison } = await this.#readSides(client);
    const values = await comparison.readValues(client, present);
    const missing = wrong.filter(({ row }) => row?.isMissing !== false).length;
    return {
      equal: documentCount - dropped - suspects.length,
      dropped,
      rows: encoded.rowCount - unfitCount - rows.filter(({ isMissing }) => isMissing).length,
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

  /** Documents without a row that are among the run's dead letters. */
  async #findLetters(client: pg.Client, suspects: readonly Suspect[]): Promise<Set<Suspect>> {
    const withoutRow = suspects.filter(({ row }) => row?.isMissing !== false);
    const isLetter = await findLetters(client, this.#settings.runId, withoutRow);
    return new Set(withoutRow.filter((_, index) => isLetter[index]));
  }
}

/** A document that cannot be encoded (`row` is null), or whose row differs. */
interface Suspect {
  readonly id: string | null;
  readonly idBson: Uint8Array;
  readonly documentHash: string;
  readonly row: DifferingRow | null;
}

/**
 * Differences of documents, by their positions in the batch; null for one that cannot be encoded.
 * @param unfit positions, among encoded documents, of those that cannot be staged; `rows` counts the others
 */
function findSuspicious(
  encoded: LoadableBatch,
  unfit: readonly number[],
  rows: readonly DifferingRow[],
): Map<number, DifferingRow | null> {
  const suspicious = new Map<number, DifferingRow | null>();
  const add = (ordinal: number, row: DifferingRow | null): void => {
    const known = suspicious.get(ordinal);
    // For a document with several rows, a missing row is reported first.
    if (known === undefined || (known !== null && row?.isMissing !== false)) suspicious.set(ordinal, row);
  };
  for (const { ordinal } of listLetters(encoded)) add(ordinal, null);
  if (rows.length === 0 && unfit.length === 0) return suspicious;
  const byRow = new Map(rows.map((row) => [row.row, row]));
  const cannotBe = new Set([...encoded.deadLetters.map(({ ordinal }) => ordinal), ...unfit]);
  for (let ordinal = 0, next = 0; ordinal < encoded.documentCount; ordinal++) {
    const row = cannotBe.has(ordinal) ? null : byRow.get(next++);
    if (row !== undefined) add(sourceOf(encoded, ordinal), row);
  }
  return suspicious;
}

function listSuspects(batch: Batch, suspicious: ReadonlyMap<number, DifferingRow | null>): Suspect[] {
  const suspects: Suspect[] = [];
  if (suspicious.size === 0) return suspects;
  const cursor = new DocumentCursor(batch.bytes);
  for (let ordinal = 0; cursor.next(); ordinal++) {
    const row = suspicious.get(ordinal);
    if (row === undefined) continue;
    const document = batch.bytes.subarray(cursor.start, cursor.end);
    suspects.push({
      id: batch.poison === undefined ? describeId(document) : describeId(batch.last),
      idBson: (batch.poison === undefined ? copyId(document) : null) ?? batch.last,
      documentHash: hashDocument(document),
      row,
    });
  }
  return suspects;
}
