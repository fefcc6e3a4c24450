/**
 * Compares documents of a followed collection with their rows, while both continue to change. A difference may be a change that is
 * not merged yet. So it is recorded, to be compared again, and not reported as a difference until then.
 *
 * A batch is a page of all documents, or the documents of ids that were recorded before. The result is written in the transaction
 * of the comparison.
 */

import pg from 'pg';
import { arrayOfDocuments } from '../../bson/array.ts';
import { listDocuments } from '../../bson/cursor.ts';
import { copyId } from '../../bson/document-id.ts';
import { keyOfId } from '../../bson/id-key.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Comparison } from '../../observe/comparison.ts';
import type { Batch, Drain } from '../../source/page.ts';
import { listDescendants, type Plan } from '../../transcode/plan.ts';
import { createRowEncoder, type RowEncoder } from '../../transcode/row.ts';
import { Comparer, type WrongDocument } from '../compare/comparison.ts';
import { hasIndexOn, isComparedAsText, keyColumn, keyIndex } from '../compare/expected-rows.ts';
import { qualifiedName } from '../connection/relations.ts';
import type { Session } from '../connection/session.ts';
import type { LoadableBatch } from '../load/loadable-batch.ts';
import { copyToStage, emptyStages, ensureStage, type Stage } from '../load/stage.ts';
import { stagedValues } from '../table/ddl.ts';
import type { FollowedCollection, WorkerSettings } from '../worker-settings.ts';
import { planOfKey } from './merge.ts';
import { keepDiffering, settleDifferences } from './unverified.ts';

const nothing = {
  ...{ equal: 0, missing: 0, different: 0, deadLettered: 0, dropped: 0, rows: 0, childRows: 0 },
  differences: [],
};

export class Prover {
  readonly #stream: FollowedCollection;
  readonly #comparer: Comparer;
  readonly #keys: { readonly encoder: RowEncoder; readonly stage: Stage };
  readonly #plan: Plan;
  #countStatement: string | undefined;
  /** Ids of the present batch that have rows and no document. */
  #extra: readonly Uint8Array[] = [];
  /** Positions of documents in the present batch that must have no row. */
  #dropped: readonly number[] = [];

  constructor(session: Session, settings: WorkerSettings) {
    const { plan, runId, stream } = settings;
    if (stream === undefined) throw new RangeError('what is proven is of a stream');
    this.#stream = stream;
    const keyPlan = planOfKey(plan);
    const stage = { name: `pg_temp.mongo2pg_gone_${runId}`, plan: keyPlan };
    this.#keys = { encoder: createRowEncoder(keyPlan), stage };
    this.#plan = plan;
    this.#comparer = new Comparer(session, settings, (client, wrong, batch) =>
      this.#settle(client, wrong, batch),
    );
  }

  /** @throws TargetError */
  async prove(batch: Batch, encoded: LoadableBatch): Promise<Comparison> {
    const { drain } = batch;
    if (drain?.isGivenUp === true) return nothing;
    this.#dropped = encoded.sources?.dropped ?? [];
    const comparison = await this.#comparer.compare(batch, encoded);
    if (drain === undefined) return comparison;
    const gone = listGone(batch, drain, this.#dropped).length - this.#dropped.length;
    const extra = this.#extra.map((id) => describeId(id));
    return { ...comparison, equal: comparison.equal + gone - extra.length, extra };
  }

  async #settle(client: pg.Client, wrong: readonly WrongDocument[], batch: Batch): Promise<void> {
    const { drain } = batch;
    if (drain === undefined) {
      await keepDiffering(
        client,
        this.#stream,
        wrong.map(({ idBson }) => idBson),
      );
      return;
    }
    this.#extra = await this.#findExtra(client, listGone(batch, drain, this.#dropped));
    const differing = new Map(wrong.map(({ idBson, documentHash }) => [keyOfId(idBson), documentHash]));
    for (const id of this.#extra) differing.set(keyOfId(id), '');
    const ids = listDocuments(drain.ids);
    await reachFailpoint('worker-before-settle');
    await settleDifferences(
      client,
      this.#stream,
      ids.map((id, index) => ({
        id,
        drainNo: drain.seqs[index]?.[0] ?? -1,
        version: drain.seqs[index]?.[1] ?? null,
        differsHash: differing.get(keyOfId(id)) ?? null,
      })),
    );
  }

  /** The ids among these that still have rows. */
  async #findExtra(client: pg.Client, ids: readonly Uint8Array[]): Promise<Uint8Array[]> {
    if (ids.length === 0) return [];
    await ensureStage(client, this.#keys.stage);
    if ((await this.#countRows(client, ids)) === 0) return [];
    const extra: Uint8Array[] = [];
    for (const id of ids) if ((await this.#countRows(client, [id])) > 0) extra.push(id);
    return extra;
  }

  async #countRows(client: pg.Client, ids: readonly Uint8Array[]): Promise<number> {
    const { encoder, stage } = this.#keys;
    // An `_id` that its column cannot hold has no row.
    const { copy, rowCount } = encoder.encodeBatch(arrayOfDocuments(ids));
    if (rowCount === 0) return 0;
    await emptyStages(client, [stage]);
    await copyToStage(client, stage, copy);
    this.#countStatement ??= await countStatement(client, this.#plan, stage);
    const { rows } = await client.query<{ count: number }>(this.#countStatement);
    return rows[0]?.count ?? 0;
  }
}

/** The requested ids whose documents do not exist, or must have no row. */
function listGone(batch: Batch, { ids }: Drain, dropped: readonly number[]): Uint8Array[] {
  const isDropped = new Set(dropped);
  const documents = listDocuments(batch.bytes).filter((_, ordinal) => !isDropped.has(ordinal));
  const came = new Set(documents.map((document) => keyOfId(copyId(document) ?? document)));
  return listDocuments(ids).filter((id) => !came.has(keyOfId(id)));
}

/** Counts the staged keys that have a row, in the main table or a child table. */
async function countStatement(
  client: pg.Client,
  plan: Plan,
  { name, plan: keyPlan }: Stage,
): Promise<string> {
  const key = stagedValues(keyPlan, 'k.')[0] ?? '';
  const isText = isComparedAsText(plan, keyIndex(plan));
  const tables = [
    { table: plan, column: keyColumn(plan) },
    ...listDescendants(plan).map(({ child }) => ({
      table: child.plan,
      column: child.plan.columns[0]?.column ?? '',
    })),
  ];
  const isThere: string[] = [];
  for (const { table, column } of tables) {
    const value = `t.${pg.escapeIdentifier(column)}`;
    // A key that is equal only by collation belongs to another document.
    const exactly = isText ? ` AND ${value}::text COLLATE "C" = (${key})::text COLLATE "C"` : '';
    const found = `FROM ${qualifiedName(table)} t WHERE ${value} = ${key}${exactly}`;
    // Uses an index if possible: there are few keys compared to the table, which the planner does not know.
    const looksUp = await hasIndexOn(client, table, column);
    isThere.push(looksUp ? `coalesce((SELECT true ${found} LIMIT 1), false)` : `EXISTS (SELECT ${found})`);
  }
  return `SELECT count(*)::int AS count FROM ${name} k WHERE ${isThere.join(' OR ')}`;
}
