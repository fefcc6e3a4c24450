/**
 * Merges the present state of changed documents into the tables: in one transaction, rows are inserted, updated or deleted, with
 * their child rows, and the changes are removed from the journal.
 *
 * merge ──Postgres refuses a row──→ all of these rows are deleted, and inserted one by one
 *                                     └── refused again: a dead letter, whose change stays in the journal
 * Invariants
 * - a drain is applied once: it has the drain number of its slot, which is incremented in the same transaction;
 * - only the owner of the slot merges: a drain has the epoch of its slot, which rises with each owner;
 * - exactly the taken changes are removed from the journal: one with a lower number can be committed later;
 * - a requested document that no longer exists has no row, child row or dead letter afterwards.
 */

import type pg from 'pg';
import { arrayOfDocuments } from '../../bson/array.ts';
import { listDocuments } from '../../bson/cursor.ts';
import { copyId, nameOfBytes } from '../../bson/document-id.ts';
import { keyOfId } from '../../bson/id-key.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import { reachFailpoint } from '../../common/failpoints/failpoints.ts';
import type { Batch, Drain } from '../../source/page.ts';
import { listDescendants, type Plan } from '../../transcode/plan.ts';
import { createRowEncoder, type RowEncoder } from '../../transcode/row.ts';
import { documentAt } from '../../transcode/transform/encode-transformed.ts';
import { keyIndex } from '../compare/expected-rows.ts';
import { explainDatabaseError } from '../connection/connection.ts';
import type { Session } from '../connection/session.ts';
import { isRefusal } from '../connection/transient-errors.ts';
import type { LedgerLetter } from '../ledger/dead-letters.ts';
import { countChildRows, listLetters, sourceOf, type LoadableBatch } from '../load/loadable-batch.ts';
import { loadRowByRow } from '../load/row-by-row.ts';
import { copyToStage, ensureStage, type Refusal, type Stage } from '../load/stage.ts';
import type { WorkerSettings } from '../worker-settings.ts';
import { keepLetters, removeLetters } from './letters.ts';
import { type MergeCounts, MergeStatements } from './merge-statements.ts';
import type { MergeOutcome } from '../../observe/ack.ts';

const nothing = { inserted: 0, updated: 0, deleted: 0, refused: 0, deadLettered: 0 };

/** A trigger skipped rows, without an error. */
class MissingRowsError extends Error {}

export class Merger {
  readonly #session: Session;
  readonly #settings: WorkerSettings;
  readonly #plan: Plan;
  readonly #keys: { readonly encoder: RowEncoder; readonly stage: Stage };
  readonly #stages: readonly Stage[];
  readonly #statements: MergeStatements;
  #isPrepared = false;

  constructor(session: Session, settings: WorkerSettings) {
    const { plan, runId, stream } = settings;
    if (stream === undefined) throw new RangeError('a merge is of a stream');
    this.#session = session;
    this.#settings = settings;
    this.#plan = plan;
    const keyPlan = planOfKey(plan);
    const name = `pg_temp.mongo2pg_merge_${runId}`;
    this.#keys = { encoder: createRowEncoder(keyPlan), stage: { name: `${name}_keys`, plan: keyPlan } };
    this.#stages = [
      { name, plan },
      ...listDescendants(plan).map(({ child }, index) => ({
        name: `${name}_child_${index}`,
        plan: child.plan,
      })),
    ];
    this.#statements = new MergeStatements(plan, this.#keys.stage, this.#stages, stream);
  }

  /** @throws TargetError when Postgres rejects more than single rows */
  async merge(batch: Batch, encoded: LoadableBatch): Promise<MergeOutcome> {
    const { drain } = batch;
    if (drain === undefined) throw new RangeError('a batch to be merged is of a drain');
    if (drain.isGivenUp === true) return { isStale: true, ...nothing };
    try {
      if (!encoded.hasLongKey) {
        try {
          return await this.#apply(batch, drain, encoded, (client) => this.#mergeWhole(client, encoded));
        } catch (error) {
          if (!isRefusal(error) && !(error instanceof MissingRowsError)) throw error;
        }
      }
      return await this.#apply(batch, drain, encoded, (client) => this.#mergeSingly(client, encoded));
    } catch (error) {
      throw explainDatabaseError(error, this.#settings.postgresUrl);
    }
  }

  async #apply(
    batch: Batch,
    drain: Drain,
    encoded: LoadableBatch,
    mergeRows: (client: pg.Client) => Promise<Merged>,
  ): Promise<MergeOutcome> {
    const { runId } = this.#settings;
    const ids = listIds(batch, drain);
    return await this.#session.transaction(async (client) => {
      await reachFailpoint('worker-in-merge');
      const slot = await this.#statements.lockSlot(client, drain, batch.epoch, runId);
      if (slot === null) return { isStale: true, ...nothing };
      await this.#stageKeys(client, ids);
      if (slot.hasLetters) await removeLetters(client, runId, ids);
      const { refusals: ofRows, isSingly, ...counts } = await mergeRows(client);
      const refusals = ofRows.map((refusal) => ({ ...refusal, ordinal: sourceOf(encoded, refusal.ordinal) }));
      const letters = [...listLetters(encoded), ...refusals.map((refusal) => toLetter(batch, refusal))];
      await keepLetters(client, { runId, slot: drain.slot, collection: this.#plan.collection }, letters);
      const refusedSeqs = findSeqs(
        drain,
        refusals.map(({ ordinal }) => documentAt(batch.bytes, ordinal)),
      );
      const { isNoted, hasDifferences } = slot;
      const end = { refused: refusedSeqs, isNoted, hasDifferences, isSingly };
      await this.#statements.finish(client, drain, counts, end);
      await reachFailpoint('worker-before-merge-commit');
      const { inserted, updated, deleted } = counts;
      const refused = refusals.length;
      return { isStale: false, inserted, updated, deleted, refused, deadLettered: letters.length };
    });
  }

  async #mergeWhole(client: pg.Client, encoded: LoadableBatch): Promise<Merged> {
    const parts = [encoded, ...encoded.children];
    for (const [index, stage] of this.#stages.entries()) {
      const part = parts[index];
      if (part !== undefined && part.rowCount > 0) await copyToStage(client, stage, part.copy);
    }
    const counts = await this.#statements.merge(client);
    if (counts.inserted < 0) throw new MissingRowsError('a trigger skipped rows');
    return { ...counts, refusals: [], isSingly: false };
  }

  /**
   * Deletes the rows of all documents first: if two documents have exchanged a unique value, neither could be updated before the
   * other.
   */
  async #mergeSingly(client: pg.Client, encoded: LoadableBatch): Promise<Merged> {
    const { runId } = this.#settings;
    const { deleted, childRows } = await this.#statements.deleteAll(client);
    const refusals =
      encoded.rowCount === 0 ? [] : await loadRowByRow(client, { runId, plan: this.#plan }, encoded);
    const inserted = encoded.rowCount - refusals.length;
    const added = countChildRows(encoded, refusals);
    const counts = { inserted, updated: 0, deleted, childRows: childRows + added };
    return { ...counts, refusals, isSingly: true };
  }

  async #stageKeys(client: pg.Client, ids: readonly Uint8Array[]): Promise<void> {
    const { encoder, stage } = this.#keys;
    // An `_id` that its column cannot hold has no row.
    const { copy, rowCount } = encoder.encodeBatch(arrayOfDocuments(ids));
    if (!this.#isPrepared || !(await isStageThere(client, stage))) {
      for (const each of [stage, ...this.#stages]) await ensureStage(client, each);
      this.#isPrepared = true;
    }
    if (rowCount > 0) await copyToStage(client, stage, copy);
  }
}

interface Merged extends MergeCounts {
  readonly refusals: readonly Refusal[];
  readonly isSingly: boolean;
}

/** False on a new connection, which has no temporary tables. */
async function isStageThere(client: pg.Client, { name }: Stage): Promise<boolean> {
  const { rows } = await client.query<{ isThere: boolean }>({
    name: `is-there-${name}`.slice(0, 63),
    text: `SELECT to_regclass('${name}') IS NOT NULL AS "isThere"`,
  });
  return rows[0]?.isThere === true;
}

/** A plan for only the keys of another plan. */
export function planOfKey(plan: Plan): Plan {
  const { collection, schema, table, nul } = plan;
  const columns = plan.columns.slice(keyIndex(plan), keyIndex(plan) + 1);
  return { collection, schema, table, columns, extraColumn: null, ...(nul === undefined ? {} : { nul }) };
}

/** The requested ids, and other ids that were returned: with a collation, MongoDB may return `A` for `a`. */
function listIds(batch: Batch, { ids }: Drain): Uint8Array[] {
  const asked = listDocuments(ids);
  const names = new Set(asked.map(nameOfBytes));
  const others = listDocuments(batch.bytes).flatMap((document) => {
    const id = copyId(document);
    return id === null || names.has(nameOfBytes(id)) ? [] : [id];
  });
  return [...asked, ...others];
}

function toLetter(batch: Batch, refusal: Refusal): LedgerLetter {
  const document = documentAt(batch.bytes, refusal.ordinal);
  return { ...refusal, document, id: describeId(document), reason: 'refused' };
}

/** The journal entries of these documents. */
function findSeqs({ ids, seqs }: Drain, documents: readonly Buffer[]): number[] {
  if (documents.length === 0) return [];
  const keys = new Set(documents.map((document) => keyOfId(copyId(document) ?? document)));
  return listDocuments(ids).flatMap((id, index) => (keys.has(keyOfId(id)) ? (seqs[index] ?? []) : []));
}
