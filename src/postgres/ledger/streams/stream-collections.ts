/** The ledger's rows of a stream's collections: which are followed, which run copies each, and why one has ended. */

import type pg from 'pg';
import type { CollectionChange } from '../../../source/changes.ts';
import type { ClusterTime } from '../../../source/cluster-time.ts';
import { forgetVerification } from './verifications.ts';

/** A collection of a stream. */
export interface StreamCollection {
  readonly collectionNo: number;
  readonly collection: string;
  /** Null until its copy begins. */
  readonly runId: string | null;
  /** Why it is not followed any more, for messages; null while it is. */
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

/** Adds collections that the stream does not have yet. */
export async function addStreamCollections(
  client: pg.Client,
  streamId: string,
  collections: readonly string[],
): Promise<void> {
  // The row of the stream is locked, so that no two statements assign the same number.
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
  const { rows } = await client.query<{ collectionNo: number }>(
    `UPDATE mongo2pg.stream_collections SET run_id = $3, followed_at = NULL, ended_time = NULL, ended_by = NULL
      WHERE stream_id = $1 AND collection = $2 RETURNING collection_no AS "collectionNo"`,
    [streamId, collection, runId],
  );
  // Results of comparisons are of the rows of an earlier run.
  for (const { collectionNo } of rows) await forgetVerification(client, { streamId, collectionNo });
}

/**
 * Records that a followed collection was dropped or replaced; its pending changes cannot be read any more. To be called in the
 * transaction of the position.
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

/** Whether a run is one of a stream, so that its collection may have become empty since. */
export async function isOfStream(client: pg.Client, runId: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.stream_collections WHERE run_id = $1 LIMIT 1',
    [runId],
  );
  return (rowCount ?? 0) > 0;
}

/** The collections of open streams that a run has copied. */
export async function listStreamPlaces(
  client: pg.Client,
  runId: string,
): Promise<{ readonly streamId: string; readonly collectionNo: number }[]> {
  const { rows } = await client.query<{ streamId: string; collectionNo: number }>(
    `SELECT stream_id AS "streamId", collection_no AS "collectionNo"
       FROM mongo2pg.stream_collections JOIN mongo2pg.streams USING (stream_id)
      WHERE run_id = $1 AND ended_at IS NULL ORDER BY stream_id`,
    [runId],
  );
  return rows;
}

/**
 * The position of the open stream that a run is copied for: all later changes will be in the journal.
 * @returns null if its changes are not followed
 */
export async function findStreamTime(client: pg.Client, runId: string): Promise<ClusterTime | null> {
  const { rows } = await client.query<{ time: string }>(
    `SELECT least(token_time, server_time) AS time
       FROM mongo2pg.stream_collections JOIN mongo2pg.streams USING (stream_id)
      WHERE run_id = $1 AND ended_at IS NULL`,
    [runId],
  );
  return rows[0] === undefined ? null : BigInt(rows[0].time);
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
