/**
 * The ledger's rows of the comparison of a followed collection: its position, the time from which merges are noted, and the number
 * of rows at that time.
 */

import type pg from 'pg';
import type { ClusterTime } from '../../../source/cluster-time.ts';
import { listDescendants, type Plan } from '../../../transcode/plan.ts';
import { asBuffer } from '../../connection/bytea.ts';
import { countRows } from '../../connection/relations.ts';
import type { FollowedCollection } from '../../worker-settings.ts';

/** The comparison of all documents of a collection. */
export interface VerificationState {
  /** Documents are read at this time or later. */
  readonly sinceTime: ClusterTime;
  /** Identifies this comparison; one that starts from scratch has another. */
  readonly beganAt: Date;
  /** All transactions before this xid8 had ended when merges began to be noted. */
  readonly sinceXid: bigint;
  /** The last compared document; null before the first. */
  readonly position: Buffer | null;
  readonly compared: number;
  /** When all documents were compared; null until then. */
  readonly finishedAt: Date | null;
  /** When the tables were last checked for writes of other programs. */
  readonly sweptAt: Date;
}

type Place = Pick<FollowedCollection, 'streamId' | 'collectionNo'>;

const columns = `since_time AS "sinceTime", began_at AS "beganAt", since_xid AS "sinceXid", position, compared,
  finished_at AS "finishedAt", swept_at AS "sweptAt"`;

type Row = Omit<VerificationState, 'sinceTime' | 'sinceXid' | 'compared'> &
  Record<'sinceTime' | 'sinceXid' | 'compared', string>;

export async function findVerification(
  client: pg.Client,
  { streamId, collectionNo }: Place,
): Promise<VerificationState | null> {
  const { rows } = await client.query<Row>(
    `SELECT ${columns} FROM mongo2pg.verifications WHERE stream_id = $1 AND collection_no = $2`,
    [streamId, collectionNo],
  );
  return rows[0] === undefined ? null : readRow(rows[0]);
}

/**
 * From the end of this transaction on, merges are noted; earlier results are discarded. Waits for drains in flight.
 * @returns the transaction, an xid8
 */
export async function noteMerges(client: pg.Client, place: Place): Promise<bigint> {
  await setNoted(client, place, true);
  const { rows } = await client.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
  return BigInt(rows[0]?.xid ?? 0);
}

/** Stops noting merges of the collection, and discards its results. To be called in a transaction. */
export async function forgetVerification(client: pg.Client, place: Place): Promise<void> {
  await setNoted(client, place, false);
}

/** The same for all collections of a stream. */
export async function forgetVerifications(client: pg.Client, streamId: string): Promise<void> {
  await setNoted(client, { streamId, collectionNo: null }, false);
}

async function setNoted(
  client: pg.Client,
  { streamId, collectionNo }: { readonly streamId: string; readonly collectionNo: number | null },
  isNoted: boolean,
): Promise<void> {
  const isOfPlace = 'stream_id = $1 AND ($2::int IS NULL OR collection_no = $2)';
  const place = [streamId, collectionNo];
  // First, since it waits for drains that still write notes.
  await client.query(`UPDATE mongo2pg.slots SET is_noted = $3 WHERE ${isOfPlace}`, [...place, isNoted]);
  for (const table of ['verifications', 'unverified', 'notes', 'merges']) {
    await client.query(`DELETE FROM mongo2pg.${table} WHERE ${isOfPlace}`, place);
  }
}

/**
 * Begins the comparison of all documents, after `noteMerges`. To be called in a transaction of its own.
 * @param noted the transaction that merges are noted since
 * @returns null while a transaction is open that began before `noted`: its rows could not be distinguished from older ones
 */
export async function beginVerification(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  plan: Plan,
  noted: bigint,
): Promise<VerificationState | null> {
  await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
  const { rows } = await client.query<{ xid: string }>(
    'SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid',
  );
  const xid = BigInt(rows[0]?.xid ?? 0);
  if (xid <= noted) return null;
  const counts = await countTables(client, plan);
  const { rows: begun } = await client.query<Row>(
    `INSERT INTO mongo2pg.verifications (stream_id, collection_no, since_time, since_xid, base_rows, base_children)
     SELECT stream_id, collection_no, least(token_time, server_time), $3,
            $4 - sum(inserted - deleted), $5 - sum(child_rows)
       FROM mongo2pg.streams JOIN mongo2pg.slots USING (stream_id)
      WHERE stream_id = $1 AND collection_no = $2 GROUP BY stream_id, collection_no
     RETURNING ${columns}`,
    [streamId, collectionNo, String(xid), counts.rows, counts.childRows],
  );
  return begun[0] === undefined ? null : readRow(begun[0]);
}

/** Records the position of the comparison, and its end. */
export async function advanceVerification(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  { beganAt }: Pick<VerificationState, 'beganAt'>,
  { position, compared }: { readonly position: Uint8Array | null; readonly compared: number },
  isAtEnd: boolean,
): Promise<VerificationState | null> {
  const { rows } = await client.query<Row>(
    `UPDATE mongo2pg.verifications
        SET position = coalesce($4, position), compared = $5, finished_at = CASE WHEN $6 THEN now() END
      WHERE stream_id = $1 AND collection_no = $2 AND began_at = $3 AND finished_at IS NULL
      RETURNING ${columns}`,
    [streamId, collectionNo, beganAt, asBuffer(position), compared, isAtEnd],
  );
  return rows[0] === undefined ? null : readRow(rows[0]);
}

async function countTables(
  client: pg.Client,
  plan: Plan,
): Promise<{ readonly rows: number; readonly childRows: number }> {
  let childRows = 0;
  for (const { child } of listDescendants(plan)) childRows += await countRows(client, child.plan);
  return { rows: await countRows(client, plan), childRows };
}

function readRow({ sinceTime, sinceXid, compared, ...row }: Row): VerificationState {
  return { ...row, sinceTime: BigInt(sinceTime), sinceXid: BigInt(sinceXid), compared: Number(compared) };
}
