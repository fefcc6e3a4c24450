/** The ledger's rows of promotions: which field of a run gets which column, and which rows are done. */

import type pg from 'pg';
import { UsageError } from '../../common/errors.ts';
import type { BsonTypeName } from '../../bson/types.ts';
import { invoke, quoteWord } from '../../config/invocation.ts';
import { otherFields } from '../../transcode/extra-counter.ts';
import type { Plan, PlanColumn } from '../../transcode/plan.ts';
import { lockStream, lockTable } from './run-lock.ts';
import { readExtra } from './runs.ts';
import { isOfStream, listStreamPlaces } from './streams/stream-collections.ts';
import { takeOverStream } from './streams/stream.ts';
import { forgetVerification } from './streams/verifications.ts';

export interface PromotionRow {
  readonly field: string;
  readonly column: string;
  readonly type: PlanColumn['type'];
  /** See `KnownTypes`. */
  readonly types: readonly BsonTypeName[] | null;
  /** Key of the last row done, as text; null before the first. */
  readonly afterKey: string | null;
  readonly promoted: number;
  readonly nulls: number;
  readonly left: Readonly<Record<string, number>>;
  readonly isFinished: boolean;
}

/** A promotion that was interrupted: some rows of the table have the new column filled, and others do not. */
export interface UnfinishedPromotion {
  readonly field: string;
  readonly table: string;
}

/** What one page adds to the counts. */
export type PromotionStep = Pick<PromotionRow, 'promoted' | 'nulls' | 'left'> & { readonly afterKey: string };

type TableName = Pick<Plan, 'schema' | 'table'>;

type Row = Omit<PromotionRow, 'promoted' | 'nulls'> & Record<'promoted' | 'nulls', string>;

/** Promotions of a run, in the order in which they were begun. */
export async function listPromotions(client: pg.Client, runId: string): Promise<PromotionRow[]> {
  const { rows } = await client.query<Row>(
    `SELECT field, column_name AS "column", type, types, after_key AS "afterKey", promoted, nulls,
            left_behind AS "left", finished_at IS NOT NULL AS "isFinished"
       FROM mongo2pg.promotions WHERE run_id = $1 ORDER BY began_at, field`,
    [runId],
  );
  return rows.map((row) => ({ ...row, promoted: Number(row.promoted), nulls: Number(row.nulls) }));
}

/** To be called in the transaction that adds the column. */
export async function insertPromotion(
  client: pg.Client,
  runId: string,
  { field, column, type }: PlanColumn,
  types: PromotionRow['types'],
): Promise<void> {
  await client.query(
    'INSERT INTO mongo2pg.promotions (run_id, field, column_name, type, types) VALUES ($1, $2, $3, $4, $5)',
    [runId, field, column, type, types === null ? null : JSON.stringify(types)],
  );
}

/** To be called in the transaction that writes the rows of the page. */
export async function advancePromotion(
  client: pg.Client,
  runId: string,
  field: string,
  { afterKey, promoted, nulls, left }: PromotionStep,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.promotions p
        SET after_key = $3, promoted = promoted + $4, nulls = nulls + $5,
            left_behind = coalesce((
              SELECT jsonb_object_agg(type, count) FROM (
                SELECT key AS type, sum(value::bigint) AS count FROM (
                  SELECT * FROM jsonb_each_text(p.left_behind) UNION ALL SELECT * FROM jsonb_each_text($6)) AS counts
                 GROUP BY key) AS sums), '{}')
      WHERE run_id = $1 AND field = $2`,
    [runId, field, afterKey, promoted, nulls, JSON.stringify(left)],
  );
}

export async function finishPromotion(client: pg.Client, runId: string, field: string): Promise<void> {
  await client.query('UPDATE mongo2pg.promotions SET finished_at = now() WHERE run_id = $1 AND field = $2', [
    runId,
    field,
  ]);
}

/** Discards comparisons made while the run was followed: its rows have changed. To be called in a transaction. */
export async function forgetComparisons(client: pg.Client, runId: string): Promise<void> {
  for (const place of await listStreamPlaces(client, runId)) await forgetVerification(client, place);
}

/** Unfinished promotions of these runs. */
export async function listUnfinished(
  client: pg.Client,
  runIds: readonly string[],
): Promise<readonly UnfinishedPromotion[]> {
  const { rows } = await client.query<UnfinishedPromotion>(
    `SELECT field, table_name AS "table" FROM mongo2pg.promotions p JOIN mongo2pg.runs r USING (run_id)
      WHERE run_id = ANY ($1) AND p.finished_at IS NULL ORDER BY began_at, field`,
    [runIds],
  );
  return rows;
}

/** The reason why a cutover is not possible. */
export function describeUnfinished({ field, table }: UnfinishedPromotion): string {
  return `the promotion of ${JSON.stringify(field)} in ${table} is not finished`;
}

/** Until a promotion is finished, its run can be neither verified nor followed. @throws UsageError */
export async function requirePromoted(
  client: pg.Client,
  runId: string,
  { table }: { readonly table: string },
): Promise<void> {
  const [unfinished] = await listUnfinished(client, [runId]);
  if (unfinished === undefined) return;
  const { field } = unfinished;
  throw new UsageError(`the promotion of ${JSON.stringify(field)} in run ${runId} is not finished`, {
    code: 'PROMOTION_UNFINISHED',
    fix: `finish it: ${invoke('promote', `${quoteWord(table)} ${quoteWord(field)}`)}.`,
  });
}

/** Prevents other processes from loading the table, and from following into it. @throws UsageError when one does */
export async function lockPromotion(client: pg.Client, table: TableName): Promise<void> {
  // Streams first: a process that follows holds the lock on the table too, and its message says more.
  for (const streamId of await listStreamsOf(client, table)) await lockStream(client, streamId);
  await lockTable(client, table);
}

/**
 * From then on, merges by workers whose primary is gone are rejected: their plan lacks the column. To be called in a transaction.
 */
export async function fenceFollowers(client: pg.Client, table: TableName): Promise<void> {
  for (const streamId of await listStreamsOf(client, table)) await takeOverStream(client, streamId);
}

/** Streams that have not ended. */
async function listStreamsOf(client: pg.Client, { schema, table }: TableName): Promise<string[]> {
  const { rows } = await client.query<{ streamId: string }>(
    `SELECT DISTINCT stream_id AS "streamId"
       FROM mongo2pg.streams JOIN mongo2pg.stream_collections USING (stream_id) JOIN mongo2pg.runs USING (run_id)
      WHERE runs.table_schema = $1 AND table_name = $2 AND ended_at IS NULL ORDER BY stream_id`,
    [schema, table],
  );
  return rows.map(({ streamId }) => streamId);
}

/**
 * The BSON types of a field without a column in the documents.
 * @returns null if not all were counted: documents were merged while they were followed, or had too many fields
 */
export async function findKnownTypes(
  client: pg.Client,
  runId: string,
  plan: Plan,
  name: string,
): Promise<readonly BsonTypeName[] | null> {
  if (plan.keepsWhole === true || (await isOfStream(client, runId))) return null;
  const counts = await readExtra(client, runId);
  if (counts.some(({ field }) => field === otherFields)) return null;
  const types = counts.flatMap(({ field, reason, type }) =>
    field === name && reason !== 'dropped' ? [type] : [],
  );
  return types.length === 0 ? null : [...new Set(types)];
}
