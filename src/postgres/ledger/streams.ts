/** The ledger's rows about streams: where the reading of changes stands, and which collections are followed by it. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import type { CollectionChange, StreamPosition } from '../../source/changes.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import { asBuffer } from '../connection/bytea.ts';
import { createLedger } from './ledger.ts';

/** What is followed: one stream may be open for it. */
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
  /** A repair has begun it, and is not done. */
  readonly isRepair: boolean;
}

/** Another process follows, or the stream has ended: by a cut-over, or because a later one was opened. */
export class StreamEndedError extends TargetError {
  constructor() {
    super('another process has taken over the stream, or it has ended', {
      code: 'STREAM_TAKEN_OVER',
      fix: 'npm run status tells how it stands; nothing of it is lost or doubled.',
    });
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

/** The stream that goes on; null where there is none. */
export async function findStream(client: pg.Client, request: StreamRequest): Promise<StreamRow | null> {
  const { rows } = await client.query<Row>(
    `SELECT ${columns} FROM mongo2pg.streams
      WHERE source_db = $1 AND table_schema = $2 AND selection = $3 AND ended_at IS NULL`,
    keyOf(request),
  );
  return rows[0] === undefined ? null : readRow(rows[0]);
}

/** To be called in a transaction, before the first page of what it is for is read. */
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

/** Gives it up: what it has not told is copied by whatever comes after it. */
export async function endStream(client: pg.Client, streamId: string): Promise<void> {
  await client.query(
    'UPDATE mongo2pg.streams SET ended_at = now(), epoch = epoch + 1 WHERE stream_id = $1 AND ended_at IS NULL',
    [streamId],
  );
  await client.query('DELETE FROM mongo2pg.changes WHERE stream_id = $1', [streamId]);
}

/** All that differs is in the journal: the stream can be followed. */
export async function finishRepair(client: pg.Client, streamId: string): Promise<void> {
  await client.query('UPDATE mongo2pg.streams SET is_repair = false WHERE stream_id = $1', [streamId]);
}

/** Makes this process the one that follows: whatever an earlier one still wants to write is refused. @returns the epoch */
export async function takeOverStream(client: pg.Client, streamId: string): Promise<number> {
  const { rows } = await client.query<{ epoch: number }>(
    'UPDATE mongo2pg.streams SET epoch = epoch + 1 WHERE stream_id = $1 AND ended_at IS NULL RETURNING epoch',
    [streamId],
  );
  const epoch = rows[0]?.epoch;
  if (epoch === undefined) throw new StreamEndedError();
  // Waits for drains that an earlier process has under way.
  await client.query('UPDATE mongo2pg.slots SET epoch = $2 WHERE stream_id = $1', [streamId, epoch]);
  return epoch;
}

/** Until the end of the transaction no other takes over. @throws StreamEndedError when one has, or the stream has ended */
export async function requireEpoch(
  client: pg.Client,
  { streamId, epoch }: Pick<StreamRow, 'streamId' | 'epoch'>,
): Promise<void> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.streams WHERE stream_id = $1 AND epoch = $2 AND ended_at IS NULL FOR SHARE',
    [streamId, epoch],
  );
  if (rowCount === 0) throw new StreamEndedError();
}

/** What is asked of the one who follows. */
export interface StreamState {
  /** A cut-over waits for all changes up to this time. */
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
 * To be called in the transaction that keeps what was read up to the position. What is read again, after an earlier time, has
 * been kept before: the times do not go back. @throws StreamEndedError
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

/** A collection of a stream. */
export interface StreamCollection {
  readonly collectionNo: number;
  readonly collection: string;
  /** Null as long as nothing is copied of it. */
  readonly runId: string | null;
  /** Why there is no more of it to follow, for people; null while there is. */
  readonly endedBy: string | null;
}

export async function listStreamCollections(
  client: pg.Client,
  streamId: string,
): Promise<StreamCollection[]> {
  const { rows } = await client.query<StreamCollection>(
    `SELECT collection_no AS "collectionNo", collection, run_id AS "runId", ended_by AS "endedBy"
       FROM mongo2pg.stream_collections WHERE stream_id = $1 ORDER BY collection_no`,
    [streamId],
  );
  return rows;
}

/** Gives a number to each collection of these that has none. */
export async function addStreamCollections(
  client: pg.Client,
  streamId: string,
  collections: readonly string[],
): Promise<void> {
  // One statement at a time numbers: the row of the stream is locked by whoever adds.
  await client.query('SELECT FROM mongo2pg.streams WHERE stream_id = $1 FOR UPDATE', [streamId]);
  await client.query(
    `INSERT INTO mongo2pg.stream_collections (stream_id, collection_no, collection)
     SELECT $1, (SELECT coalesce(max(collection_no), 0) FROM mongo2pg.stream_collections WHERE stream_id = $1) + place, name
       FROM (SELECT name, row_number() OVER () AS place FROM unnest($2::text[]) AS new (name)
              WHERE name NOT IN (SELECT collection FROM mongo2pg.stream_collections WHERE stream_id = $1)) n`,
    [streamId, [...new Set(collections)]],
  );
}

/** Says which run copies a collection. To be called in the transaction that begins the run. */
export async function assignStreamRun(
  client: pg.Client,
  streamId: string,
  collection: string,
  runId: string,
): Promise<void> {
  await addStreamCollections(client, streamId, [collection]);
  await client.query(
    `UPDATE mongo2pg.stream_collections SET run_id = $3, followed_at = NULL, ended_time = NULL, ended_by = NULL
      WHERE stream_id = $1 AND collection = $2`,
    [streamId, collection, runId],
  );
}

/**
 * Writes down that a followed collection is no more what was copied; what waits of it cannot be read any more. To be called in
 * the transaction of the position.
 */
export async function endStreamCollections(
  client: pg.Client,
  streamId: string,
  changes: readonly CollectionChange[],
): Promise<void> {
  for (const change of changes) {
    const names = [change.collection, change.newName].filter((name) => name !== null);
    await client.query(
      `WITH ended AS (
         UPDATE mongo2pg.stream_collections SET ended_time = $3, ended_by = $4
          WHERE stream_id = $1 AND ended_by IS NULL AND run_id IS NOT NULL
            AND (collection = ANY ($2) OR $5)
         RETURNING stream_id, collection_no)
       DELETE FROM mongo2pg.changes c USING ended e
        WHERE c.stream_id = e.stream_id AND c.collection_no = e.collection_no`,
      [streamId, names, String(change.time), describeEnd(change), change.kind === 'dropDatabase'],
    );
  }
}

/** Adds to what was written after the time that a cut-over has set. To be called in the transaction of the position. */
export async function countLate(
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

function describeEnd({ kind, collection, newName }: CollectionChange): string {
  switch (kind) {
    case 'drop':
      return `the collection ${collection ?? ''} was dropped`;
    case 'rename':
      return `the collection ${collection ?? ''} was renamed to ${newName ?? ''}`;
    case 'dropDatabase':
      return 'the database was dropped';
  }
}

function readRow({ token, time, ...row }: Row): StreamRow {
  return { ...row, position: { token, time: BigInt(time) } };
}

function keyOf({ sourceDb, schema, selection }: StreamRequest): string[] {
  return [sourceDb, schema, selection];
}

/** How far the one who follows has come with what a cut-over waits for. */
export interface CutoverProgress {
  readonly tokenTime: ClusterTime;
  /** Of collections that are copied: of the others there is nothing to merge. */
  readonly waiting: number;
  readonly refused: number;
  /** Written after the end, by collection. */
  readonly late: Readonly<Record<string, number>>;
  readonly deadLettered: number;
}

/** The slots that have rows which Postgres refuses for now, by name, with how often each was drained. */
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

/** No change is to come after this. What an earlier cut-over has found late is forgotten. */
export async function setEndTime(client: pg.Client, streamId: string, endTime: ClusterTime): Promise<void> {
  const { rowCount } = await client.query(
    'UPDATE mongo2pg.streams SET end_time = $2, late = NULL WHERE stream_id = $1 AND ended_at IS NULL',
    [streamId, String(endTime)],
  );
  if (rowCount === 0) throw new StreamEndedError();
}

/** Following goes on as before. */
export async function clearEndTime(client: pg.Client, streamId: string): Promise<void> {
  await client.query(
    'UPDATE mongo2pg.streams SET end_time = NULL WHERE stream_id = $1 AND ended_at IS NULL',
    [streamId],
  );
}

export async function readCutoverProgress(client: pg.Client, streamId: string): Promise<CutoverProgress> {
  const { rows } = await client.query<Omit<CutoverProgress, 'tokenTime'> & { tokenTime: string }>(
    `SELECT token_time AS "tokenTime", coalesce(late, '{}') AS late, j.waiting, j.refused,
            (SELECT count(*)::int FROM mongo2pg.dead_letters d JOIN mongo2pg.stream_collections c USING (run_id)
              WHERE c.stream_id = s.stream_id) AS "deadLettered"
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
 * The stream ends here: all up to its position is merged, compared and found equal. Whoever follows hears of it with its next
 * reply. To be called in a transaction. @param account what is kept of it, for later
 * @returns whether this did it
 */
export async function finishCutover(
  client: pg.Client,
  streamId: string,
  account: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  await client.query('SET LOCAL synchronous_commit = on');
  // The lock keeps changes out that are on their way into the journal.
  const { rowCount } = await client.query(
    `UPDATE mongo2pg.streams s SET cut_over_at = now(), ended_at = now(), end_time = NULL, cut_over = $2
      WHERE stream_id = $1 AND ended_at IS NULL AND late IS NULL
        AND NOT EXISTS (
          SELECT FROM mongo2pg.changes c JOIN mongo2pg.stream_collections k USING (stream_id, collection_no)
           WHERE c.stream_id = s.stream_id AND NOT c.is_refused AND k.run_id IS NOT NULL)`,
    [streamId, JSON.stringify(account)],
  );
  if (rowCount === 0) return false;
  await client.query('DELETE FROM mongo2pg.changes WHERE stream_id = $1', [streamId]);
  await client.query(
    `UPDATE mongo2pg.jobs j SET finished_at = now() FROM mongo2pg.streams s
      WHERE s.stream_id = $1 AND j.source_db = s.source_db AND j.table_schema = s.table_schema
        AND j.selection = s.selection AND j.finished_at IS NULL`,
    [streamId],
  );
  return true;
}

/** When the last stream of these was cut over; null where none was, or one goes on. */
export async function findCutover(client: pg.Client, request: StreamRequest): Promise<Date | null> {
  const { rows } = await client.query<{ cutOverAt: Date | null }>(
    `SELECT cut_over_at AS "cutOverAt" FROM mongo2pg.streams
      WHERE source_db = $1 AND table_schema = $2 AND selection = $3 ORDER BY stream_id DESC LIMIT 1`,
    keyOf(request),
  );
  return rows[0]?.cutOverAt ?? null;
}

/** Whether a run is one of a stream, so that its collection may have become empty since. */
export async function isOfStream(client: pg.Client, runId: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.stream_collections WHERE run_id = $1 LIMIT 1',
    [runId],
  );
  return (rowCount ?? 0) > 0;
}
