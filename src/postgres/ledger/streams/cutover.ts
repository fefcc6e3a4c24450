/** Cutover in the ledger: the progress of the process that follows, and the end of a stream. */

import type pg from 'pg';
import { commitSynchronously } from '../../connection/synchronous-commit.ts';
import type { ClusterTime } from '../../../source/cluster-time.ts';
import { keyOf, StreamEndedError, type StreamRequest } from './stream.ts';
import { fenceSlots } from './slots.ts';
import { forgetVerifications } from './verifications.ts';

/** How far the process that follows has come, as a cutover needs to know. */
export interface CutoverProgress {
  readonly tokenTime: ClusterTime;
  /** For collections that are copied; others have nothing to merge. */
  readonly waiting: number;
  readonly refused: number;
  /** Changes after the end time, by collection. */
  readonly late: Readonly<Record<string, number>>;
  readonly deadLettered: number;
}

/** Slots with rows that Postgres rejects, by name, with their drain numbers. */
export async function listRefusedSlots(
  client: pg.Client,
  streamId: string,
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await client.query<{ name: string; drainNo: string }>(
    `SELECT DISTINCT s.collection_no || ' ' || s.slot AS name, s.drain_no AS "drainNo"
       FROM mongo2pg.slots s JOIN mongo2pg.changes c USING (stream_id, collection_no, slot)
      WHERE s.stream_id = $1 AND c.is_refused`,
    [streamId],
  );
  return new Map(rows.map(({ name, drainNo }) => [name, Number(drainNo)]));
}

/** Sets the time after which no change is expected. Clears the late changes of an earlier cutover. */
export async function setEndTime(client: pg.Client, streamId: string, endTime: ClusterTime): Promise<void> {
  const { rowCount } = await client.query(
    'UPDATE mongo2pg.streams SET end_time = $2, late = NULL WHERE stream_id = $1 AND ended_at IS NULL',
    [streamId, String(endTime)],
  );
  if (rowCount === 0) throw new StreamEndedError();
}

/** Lets following continue as before. */
export async function clearEndTime(client: pg.Client, streamId: string): Promise<void> {
  await client.query(
    'UPDATE mongo2pg.streams SET end_time = NULL WHERE stream_id = $1 AND ended_at IS NULL',
    [streamId],
  );
}

/** Counts changes after the end time of a cutover. To be called in the transaction of the position. */
export async function addLateChanges(
  client: pg.Client,
  streamId: string,
  late: ReadonlyMap<string, number>,
): Promise<void> {
  for (const [collection, count] of late) {
    await client.query(
      `UPDATE mongo2pg.streams
          SET late = jsonb_set(coalesce(late, '{}'), ARRAY[$2::text], to_jsonb(coalesce((late ->> $2)::bigint, 0) + $3::bigint))
        WHERE stream_id = $1`,
      [streamId, collection, count],
    );
  }
}

export async function readCutoverProgress(client: pg.Client, streamId: string): Promise<CutoverProgress> {
  const { rows } = await client.query<Omit<CutoverProgress, 'tokenTime'> & { tokenTime: string }>(
    `SELECT token_time AS "tokenTime", coalesce(late, '{}') AS late, j.waiting, j.refused,
            (SELECT count(*)::int FROM mongo2pg.dead_letters d JOIN mongo2pg.stream_collections c USING (run_id)
              WHERE c.stream_id = s.stream_id AND c.ended_by IS NULL) AS "deadLettered"
       FROM mongo2pg.streams s, LATERAL (
         SELECT count(*)::int AS waiting, (count(*) FILTER (WHERE is_refused))::int AS refused
           FROM mongo2pg.changes c JOIN mongo2pg.stream_collections k USING (stream_id, collection_no)
          WHERE c.stream_id = s.stream_id AND k.run_id IS NOT NULL) j
      WHERE stream_id = $1 AND ended_at IS NULL`,
    [streamId],
  );
  const row = rows[0];
  if (row === undefined) throw new StreamEndedError();
  return { ...row, tokenTime: BigInt(row.tokenTime) };
}

/**
 * Ends the stream, once all changes up to its position are merged and compared as equal. The process that follows learns of it with
 * its next reply. To be called in a transaction.
 * @param account stored in the ledger
 * @returns false if the stream has ended already, or has late or pending changes
 */
export async function finishCutover(
  client: pg.Client,
  streamId: string,
  account: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  await commitSynchronously(client);
  // The lock blocks changes that are about to be added to the journal.
  const { rowCount } = await client.query(
    `UPDATE mongo2pg.streams s SET cut_over_at = now(), ended_at = now(), end_time = NULL, cut_over = $2
      WHERE stream_id = $1 AND ended_at IS NULL AND late IS NULL
        AND NOT EXISTS (
          SELECT FROM mongo2pg.changes c JOIN mongo2pg.stream_collections k USING (stream_id, collection_no)
           WHERE c.stream_id = s.stream_id AND NOT c.is_refused AND k.run_id IS NOT NULL)`,
    [streamId, JSON.stringify(account)],
  );
  if (rowCount === 0) return false;
  // From now on the rows are the application's: a merge that comes late would write over them.
  await fenceSlots(client, streamId);
  await client.query('DELETE FROM mongo2pg.changes WHERE stream_id = $1', [streamId]);
  await forgetVerifications(client, streamId);
  await client.query(
    `UPDATE mongo2pg.jobs j SET finished_at = now() FROM mongo2pg.streams s
      WHERE s.stream_id = $1 AND j.source_db = s.source_db AND j.table_schema = s.table_schema
        AND j.selection = s.selection AND j.finished_at IS NULL`,
    [streamId],
  );
  return true;
}

export interface Cutover {
  readonly streamId: string;
  readonly cutOverAt: Date;
}

/** Of the last of these streams; null if it was not cut over, or has not ended. */
export async function findCutover(client: pg.Client, request: StreamRequest): Promise<Cutover | null> {
  const { rows } = await client.query<{ streamId: string; cutOverAt: Date | null }>(
    `SELECT stream_id AS "streamId", cut_over_at AS "cutOverAt" FROM mongo2pg.streams
      WHERE source_db = $1 AND table_schema = $2 AND selection = $3 ORDER BY stream_id DESC LIMIT 1`,
    keyOf(request),
  );
  const [last] = rows;
  return last?.cutOverAt == null ? null : { streamId: last.streamId, cutOverAt: last.cutOverAt };
}
