/**
 * Documents that differed from their rows when they were compared. A drain that merges such a document removes it here, and notes
 * it. So a document is reported as different only if it differed twice, with no merge of it in between.
 */

import { createHash } from 'node:crypto';
import type pg from 'pg';
import { commitSynchronously } from '../connection/synchronous-commit.ts';
import { listDocuments } from '../../bson/cursor.ts';
import { keyOfId, slotOfKey } from '../../bson/id-key.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import type { Drain } from '../../source/page.ts';
import { asBuffer } from '../connection/bytea.ts';
import type { FollowedCollection } from '../worker-settings.ts';

type Place = Pick<FollowedCollection, 'streamId' | 'collectionNo'>;

/** A document to be compared again. */
export interface NotedId {
  /** `{_id: …}` as BSON. */
  readonly id: Uint8Array;
  /** The drain number of its slot when it was taken. */
  readonly drainNo: number;
  /** The version of its entry here when it was taken; null for one that was merged. */
  readonly version: number | null;
}

/** Removes the documents that a drain merges. To be part of the transaction of the merge. */
export function forgetDifferencesStatement(
  { streamId, collectionNo }: Place,
  { slot, ids }: Pick<Drain, 'slot' | 'ids'>,
): string {
  const hashes = listDocuments(ids).map((id) => `'\\x${hashOf(id).toString('hex')}'`);
  return `DELETE FROM mongo2pg.unverified
    WHERE stream_id = ${streamId} AND collection_no = ${collectionNo} AND slot = ${slot} AND hash IN (${hashes.join(', ')})`;
}

/** Records documents that differed from their rows when all were compared. */
export async function keepDiffering(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  ids: readonly Uint8Array[],
): Promise<void> {
  if (ids.length === 0) return;
  // After the ack, the page or note of the document is not compared again.
  await commitSynchronously(client);
  await client.query(
    `INSERT INTO mongo2pg.unverified (stream_id, collection_no, hash, slot, id, version)
     SELECT $1, $2, sha256(id), slot, id, 0 FROM unnest($3::smallint[], $4::bytea[]) AS wrong (slot, id) ORDER BY sha256(id)
     ON CONFLICT DO NOTHING`,
    [streamId, collectionNo, ids.map((id) => slotOfKey(keyOfId(id))), ids.map(asBuffer)],
  );
}

export interface TakenDifferences {
  readonly ids: readonly NotedId[];
  /** The hash of the last of them; null if there are none. */
  readonly lastHash: Buffer | null;
  /** Time of MongoDB, not before any merged change of them. */
  readonly time: ClusterTime;
}

/**
 * The next documents by hash. A document that differed is taken again only when all changes up to that time are merged.
 * @param after a hash; null to begin with the first
 */
export async function takeDifferences(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  after: Uint8Array | null,
  limit: number,
): Promise<TakenDifferences> {
  const { rows } = await client.query<{
    time: string;
    id: Buffer | null;
    hash: Buffer;
    version: string;
    drainNo: string;
  }>({
    name: 'take-differences',
    text: `SELECT least(s.token_time, s.server_time) AS time, u.*, k.drain_no AS "drainNo"
       FROM mongo2pg.streams s LEFT JOIN LATERAL (
         SELECT id, hash, slot, version FROM mongo2pg.unverified u
          WHERE u.stream_id = s.stream_id AND u.collection_no = $2 AND u.hash > $3
            AND (u.differs_hash IS NULL OR u.differs_time <= s.token_time AND NOT EXISTS (
              SELECT FROM mongo2pg.changes c WHERE c.stream_id = u.stream_id AND c.collection_no = u.collection_no
                 AND c.slot = u.slot AND NOT c.is_refused AND c.changed <= u.differs_time))
          ORDER BY hash LIMIT $4) u ON true
       LEFT JOIN mongo2pg.slots k ON k.stream_id = s.stream_id AND k.collection_no = $2 AND k.slot = u.slot
      WHERE s.stream_id = $1`,
    values: [streamId, collectionNo, asBuffer(after ?? Buffer.alloc(0)), limit],
  });
  const ids = rows.flatMap(({ id, version, drainNo }) =>
    id === null ? [] : [{ id, version: Number(version), drainNo: Number(drainNo) }],
  );
  const lastHash = ids.length === 0 ? null : (rows.at(-1)?.hash ?? null);
  return { ids, lastHash, time: BigInt(rows[0]?.time ?? 0) };
}

/** The result of a second comparison. */
export interface Settlement extends NotedId {
  /** The hash of a document that differs, empty if it was deleted; null if it is equal. */
  readonly differsHash: string | null;
}

/**
 * Removes documents that are equal, and keeps those that differ. To be part of the transaction of the comparison. A difference is
 * ignored if a drain has merged the document meanwhile; it is then only recorded to be compared again.
 */
export async function settleDifferences(
  client: pg.Client,
  place: Place,
  settled: readonly Settlement[],
): Promise<void> {
  const known = settled.filter(({ version }) => version !== null);
  const equal = known.filter(({ differsHash }) => differsHash === null);
  const differing = settled.filter(({ differsHash }) => differsHash !== null);
  if (equal.length > 0) await removeEqual(client, place, equal);
  if (differing.length > 0) await keepCompared(client, place, differing);
}

async function removeEqual(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  equal: readonly Settlement[],
): Promise<void> {
  await client.query({
    name: 'remove-equal',
    // Skips documents that a drain is merging.
    text: `WITH asked AS (
         SELECT u.hash FROM unnest($3::bytea[], $4::bigint[]) AS a (hash, version)
           JOIN mongo2pg.unverified u ON u.hash = a.hash AND u.version = a.version
          WHERE u.stream_id = $1 AND u.collection_no = $2 FOR UPDATE OF u SKIP LOCKED)
     DELETE FROM mongo2pg.unverified u USING asked a
      WHERE u.stream_id = $1 AND u.collection_no = $2 AND u.hash = a.hash`,
    values: [streamId, collectionNo, equal.map(({ id }) => hashOf(id)), equal.map(({ version }) => version)],
  });
}

async function keepCompared(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  differing: readonly Settlement[],
): Promise<void> {
  // After the ack, the page or note of the document is not compared again.
  await commitSynchronously(client);
  const slots = differing.map(({ id }) => slotOfKey(keyOfId(id)));
  // Waits for the drains of these slots, and blocks later ones, which must see what is written here.
  await client.query(
    `SELECT FROM mongo2pg.slots WHERE stream_id = $1 AND collection_no = $2 AND slot = ANY ($3) ORDER BY slot FOR SHARE`,
    [streamId, collectionNo, slots],
  );
  await client.query({
    name: 'keep-compared',
    text: `WITH asked AS (
         SELECT sha256(a.id) AS hash, a.slot, a.id, a.version, CASE WHEN k.drain_no = a.drain_no THEN a.differs END AS differs
           FROM unnest($3::smallint[], $4::bytea[], $5::bigint[], $6::bigint[], $7::text[]) AS a (slot, id, version, drain_no, differs)
           JOIN mongo2pg.slots k ON k.stream_id = $1 AND k.collection_no = $2 AND k.slot = a.slot),
       known AS (
         UPDATE mongo2pg.unverified u
            SET is_different = coalesce(u.differs_hash = a.differs, false), differs_hash = a.differs, differs_time = NULL,
                version = u.version + 1
           FROM asked a
          WHERE u.stream_id = $1 AND u.collection_no = $2 AND u.hash = a.hash AND u.version = a.version)
     INSERT INTO mongo2pg.unverified (stream_id, collection_no, hash, slot, id, version, differs_hash)
     SELECT $1, $2, hash, slot, id, 0, differs FROM asked WHERE version IS NULL ORDER BY hash
     ON CONFLICT (stream_id, collection_no, hash) DO NOTHING`,
    values: [
      streamId,
      collectionNo,
      slots,
      differing.map(({ id }) => asBuffer(id)),
      differing.map(({ version }) => version),
      differing.map(({ drainNo }) => drainNo),
      differing.map(({ differsHash }) => differsHash),
    ],
  });
}

/** @param time of the server, not before the differing documents were read */
export async function dateDifferences(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  time: ClusterTime,
): Promise<void> {
  await client.query(
    `UPDATE mongo2pg.unverified SET differs_time = $3
      WHERE stream_id = $1 AND collection_no = $2 AND differs_hash IS NOT NULL AND differs_time IS NULL`,
    [streamId, collectionNo, String(time)],
  );
}

function hashOf(id: Uint8Array): Buffer {
  return createHash('sha256').update(id).digest();
}
