/** The ledger's row of a stream: the position of reading changes, and the process that reads them. */

import type pg from 'pg';
import { TargetError } from '../../../common/errors.ts';
import type { StreamPosition } from '../../../source/changes.ts';
import type { ClusterTime } from '../../../source/cluster-time.ts';
import { asBuffer } from '../../connection/bytea.ts';
import { createLedger } from '../ledger.ts';
import { fenceSlots } from './slots.ts';
import { forgetVerifications } from './verifications.ts';

/** Identifies what is followed; only one open stream may exist for it. */
export interface StreamRequest {
  readonly sourceDb: string;
  readonly schema: string;
  /** The names and patterns of the collections, as given. */
  readonly selection: string;
}

/** How many changes of each kind were read. */
export type EventCounts = Readonly<Record<string, number>>;

export interface StreamRow {
  readonly streamId: string;
  readonly epoch: number;
  readonly position: StreamPosition;
  readonly events: EventCounts;
  readonly openedAt: Date;
  /** Whether it was begun by a repair that is not finished. */
  readonly isRepair: boolean;
}

/** Another process follows, or the stream has ended, by a cutover or because a later one was opened. */
export class StreamEndedError extends TargetError {
  /** Whether a cutover has ended the stream of this process, which is the normal end. */
  readonly isCutOver: boolean;

  constructor(isCutOver = false) {
    super('another process has taken over the stream, or it has ended', {
      code: 'STREAM_TAKEN_OVER',
      fix: 'npm run status shows its state; nothing is lost or duplicated.',
    });
    this.isCutOver = isCutOver;
  }
}

interface Row {
  readonly streamId: string;
  readonly epoch: number;
  readonly token: Buffer;
  readonly time: string;
  readonly events: EventCounts;
  readonly openedAt: Date;
  readonly isRepair: boolean;
}

const columns = `stream_id AS "streamId", epoch, token, least(token_time, server_time) AS time, events, opened_at AS "openedAt",
  is_repair AS "isRepair"`;

/** The open stream, if any. */
export async function findStream(client: pg.Client, request: StreamRequest): Promise<StreamRow | null> {
  const { rows } = await client.query<Row>(
    `SELECT ${columns} FROM mongo2pg.streams
      WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND ended_at IS NULL`,
    keyOf(request),
  );
  return rows[0] === undefined ? null : readRow(rows[0]);
}

/** To be called in a transaction, before the first page of its collections is read. */
export async function openStream(
  client: pg.Client,
  request: StreamRequest,
  position: StreamPosition,
  isRepair: boolean,
): Promise<StreamRow> {
  await createLedger(client);
  const { rows } = await client.query<Row>(
    `INSERT INTO mongo2pg.streams
       (source_db, table_schema, selection, start_time, token, token_time, server_time, is_repair)
     VALUES ($1, $2, $3, $4, $5, $4, $4, $6) RETURNING ${columns}`,
    [...keyOf(request), String(position.time), asBuffer(position.token), isRepair],
  );
  const row = rows[0];
  if (row === undefined) throw new Error('INSERT … RETURNING gave no row');
  return readRow(row);
}

/** Ends a stream without a cutover. Changes that it has not read are covered by the copy that follows it. */
export async function endStream(client: pg.Client, streamId: string): Promise<void> {
  await client.query(
    'UPDATE mongo2pg.streams SET ended_at = now(), epoch = epoch + 1 WHERE stream_id = $1 AND ended_at IS NULL',
    [streamId],
  );
  // A merge that comes late would write into a table of another copy.
  await fenceSlots(client, streamId);
  await client.query('DELETE FROM mongo2pg.changes WHERE stream_id = $1', [streamId]);
  await forgetVerifications(client, streamId);
}

/** Ends a repair: all differences are in the journal, and the stream can be followed. */
export async function finishRepair(client: pg.Client, streamId: string): Promise<void> {
  await client.query('UPDATE mongo2pg.streams SET is_repair = false WHERE stream_id = $1', [streamId]);
}

/**
 * Makes this process the one that follows. Later writes of earlier processes are rejected. To be called in a transaction.
 * @param keepsLive with several hosts: those that have not left keep their slots
 * @returns it with the new epoch, and the position that earlier processes have left
 */
export async function takeOverStream(
  client: pg.Client,
  streamId: string,
  keepsLive = false,
): Promise<StreamRow> {
  const { rows } = await client.query<Row>(
    `UPDATE mongo2pg.streams SET epoch = epoch + 1 WHERE stream_id = $1 AND ended_at IS NULL RETURNING ${columns}`,
    [streamId],
  );
  const row = rows[0];
  if (row === undefined) throw new StreamEndedError();
  await fenceSlots(client, streamId, keepsLive);
  return readRow(row);
}

/**
 * Prevents a takeover until the end of the transaction.
 * @throws StreamEndedError when another process has taken over, or the stream has ended
 */
export async function requireEpoch(
  client: pg.Client,
  { streamId, epoch }: Pick<StreamRow, 'streamId' | 'epoch'>,
): Promise<void> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.streams WHERE stream_id = $1 AND epoch = $2 AND ended_at IS NULL FOR SHARE',
    [streamId, epoch],
  );
  if (rowCount !== 0) return;
  const { rows } = await client.query(
    'SELECT FROM mongo2pg.streams WHERE stream_id = $1 AND epoch = $2 AND cut_over_at IS NOT NULL',
    [streamId, epoch],
  );
  throw new StreamEndedError(rows.length > 0);
}

/** Messages of a cutover to the process that follows. */
export interface StreamState {
  /** A cutover waits for all changes up to this time. */
  readonly endTime: ClusterTime | null;
  readonly isCutOver: boolean;
}

export interface StreamAdvance {
  readonly position: StreamPosition;
  readonly serverTime: ClusterTime;
  readonly oldestTime: ClusterTime | null;
  readonly events: EventCounts;
}

/**
 * To be called in the transaction that records the changes up to the position. Changes that are read again were recorded before, so
 * that times never decrease.
 * @throws StreamEndedError
 */
export async function advanceStream(
  client: pg.Client,
  { streamId, epoch }: Pick<StreamRow, 'streamId' | 'epoch'>,
  { position, serverTime, oldestTime, events }: StreamAdvance,
): Promise<StreamState> {
  const { rows } = await client.query<{ endTime: string | null; isCutOver: boolean }>(
    `UPDATE mongo2pg.streams
        SET token = $3, token_time = greatest(token_time, $4::numeric), server_time = greatest(server_time, $5::numeric), oldest_time = coalesce($6, oldest_time), events = $7,
            read_at = clock_timestamp()
      WHERE stream_id = $1 AND epoch = $2
      RETURNING end_time AS "endTime", cut_over_at IS NOT NULL AS "isCutOver"`,
    [
      streamId,
      epoch,
      asBuffer(position.token),
      String(position.time),
      String(serverTime),
      oldestTime === null ? null : String(oldestTime),
      JSON.stringify(events),
    ],
  );
  const row = rows[0];
  if (row === undefined) throw new StreamEndedError();
  return { endTime: row.endTime === null ? null : BigInt(row.endTime), isCutOver: row.isCutOver };
}

/** The columns that identify a stream. */
export function keyOf({ sourceDb, schema, selection }: StreamRequest): string[] {
  return [sourceDb, schema, selection];
}

function readRow({ token, time, ...row }: Row): StreamRow {
  return { ...row, position: { token, time: BigInt(time) } };
}
