/** The journal: ids of documents that were written, until they have been read again and merged. */

import type pg from 'pg';
import { nameOfBytes } from '../../bson/document-id.ts';
import { keyOfId, slotOfKey } from '../../bson/id-key.ts';
import { Output } from '../../bson/output.ts';
import type { DocumentChange } from '../../source/changes.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import { copyHeader, copyTrailer } from '../../transcode/copy/copy-format.ts';
import { asBuffer } from '../connection/bytea.ts';
import { copyRows } from '../load/copy.ts';
import { createSlots, type OwnedSlot, type OwnedSlots } from '../ledger/streams/slots.ts';
import { requireEpoch } from '../ledger/streams/stream.ts';
import type { FollowedCollection } from '../worker-settings.ts';

const columns = 'stream_id, collection_no, slot, id, changed';

/** A document that was written several times in one reply is recorded once. */
export async function appendChanges(
  client: pg.Client,
  streamId: string,
  changes: readonly DocumentChange[],
  numberOf: (collection: string) => number,
): Promise<void> {
  if (changes.length === 0) return;
  await copyRows(
    client,
    `COPY mongo2pg.changes (${columns}) FROM STDIN (FORMAT binary)`,
    encodeChanges(streamId, changes, numberOf),
  );
}

/** Elsewhere numeric is passed as text. In binary it has digits of base 10,000. */
function writeNumeric(value: bigint, output: Output): void {
  const digits: number[] = [];
  for (let rest = value; rest > 0n; rest /= 10_000n) digits.unshift(Number(rest % 10_000n));
  output.writeInt32(8 + 2 * digits.length);
  output.writeInt16(digits.length);
  output.writeInt16(digits.length - 1);
  output.writeInt16(0);
  output.writeInt16(0);
  for (const digit of digits) output.writeInt16(digit);
}

function encodeChanges(
  streamId: string,
  changes: readonly DocumentChange[],
  numberOf: (collection: string) => number,
): Buffer {
  const output = new Output(changes.length * 96 + 64);
  output.writeBytes(copyHeader);
  const seen = new Set<string>();
  const stream = BigInt(streamId);
  // The last change of a document counts: it has the latest time.
  for (let index = changes.length - 1; index >= 0; index--) {
    const change = changes[index];
    if (change === undefined) continue;
    const { collection, id, time } = change;
    const number = numberOf(collection);
    const name = `${number} ${nameOfBytes(id)}`;
    if (seen.has(name)) continue;
    seen.add(name);
    output.writeInt16(5);
    output.writeInt32(8);
    output.writeInt32(Number(stream >> 32n));
    output.writeInt32(Number(BigInt.asIntN(32, stream)));
    output.writeInt32(4);
    output.writeInt32(number);
    output.writeInt32(2);
    output.writeInt16(slotOfKey(keyOfId(id)));
    output.writeInt32(id.byteLength);
    output.writeBytes(id);
    writeNumeric(time, output);
  }
  output.writeInt16(copyTrailer);
  return output.bytes.subarray(0, output.position);
}

/** Enqueues documents whose rows differ, to be read and merged again. */
export async function appendIds(
  client: pg.Client,
  { streamId, collectionNo }: FollowedCollection,
  ids: readonly Uint8Array[],
): Promise<void> {
  await client.query(
    `INSERT INTO mongo2pg.changes (stream_id, collection_no, slot, id, changed)
     SELECT $1, $2, slot, id, (SELECT token_time FROM mongo2pg.streams WHERE stream_id = $1)
       FROM unnest($3::smallint[], $4::bytea[]) AS wrong (slot, id)`,
    [streamId, collectionNo, ids.map((id) => slotOfKey(keyOfId(id))), ids.map(asBuffer)],
  );
}

/**
 * Prepares the slots of a collection that is about to be followed. To be called in a transaction.
 * @returns all slots
 * @throws StreamEndedError if this process is superseded: it must not learn the epochs of its successor
 */
export async function prepareSlots(
  client: pg.Client,
  { streamId, collectionNo, epoch }: FollowedCollection,
): Promise<OwnedSlots> {
  await requireEpoch(client, { streamId, epoch });
  const slots = await createSlots(client, { streamId, collectionNo });
  await client.query(
    `UPDATE mongo2pg.stream_collections SET followed_at = coalesce(followed_at, now())
      WHERE stream_id = $1 AND collection_no = $2`,
    [streamId, collectionNo],
  );
  return slots;
}

/** How many changes are pending, for all collections of a stream. */
export async function countChanges(client: pg.Client, streamId: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM mongo2pg.changes WHERE stream_id = $1',
    [streamId],
  );
  return rows[0]?.count ?? 0;
}

/** Pending changes of a slot. */
export interface SlotWork {
  readonly collectionNo: number;
  readonly slot: number;
  readonly waiting: number;
  /** Of these, changes whose rows Postgres has rejected. */
  readonly refused: number;
  /** When the oldest of them was made. */
  readonly oldest: ClusterTime;
}

/** Pending changes, and how long PostgreSQL took to count them. */
export interface CountedWork {
  readonly work: readonly SlotWork[];
  /**
   * By its own clock: without the way there and back, and the time for which this process was suspended meanwhile. None of that
   * burdens the server.
   */
  readonly tookMs: number;
}

/** Pending changes of a stream. @param hostId set for those in slots of a host only */
export async function listSlotWork(
  client: pg.Client,
  streamId: string,
  hostId?: string,
): Promise<CountedWork> {
  const ofHost =
    'AND (c.collection_no, c.slot) IN (SELECT collection_no, slot FROM mongo2pg.slots WHERE stream_id = $1 AND host_id = $2)';
  // The clock is read for each row of the result, thus after the changes were counted; there is a row also where none waits.
  const { rows } = await client.query<CountedRow>(
    `SELECT extract(epoch FROM clock_timestamp() - statement_timestamp())::float8 * 1000 AS "tookMs", slots.*
       FROM (VALUES (1)) AS one
       LEFT JOIN (
         SELECT collection_no AS "collectionNo", slot, count(*)::int AS waiting,
                (count(*) FILTER (WHERE is_refused))::int AS refused, min(changed) AS oldest
           FROM mongo2pg.changes c WHERE stream_id = $1 ${hostId === undefined ? '' : ofHost} GROUP BY 1, 2
       ) AS slots ON true
      ORDER BY "collectionNo", slot`,
    hostId === undefined ? [streamId] : [streamId, hostId],
  );
  return {
    work: rows.flatMap(({ collectionNo, slot, waiting, refused, oldest }) =>
      oldest === null ? [] : [{ collectionNo, slot, waiting, refused, oldest: BigInt(oldest) }],
    ),
    tookMs: Math.max(0, ...rows.map(({ tookMs }) => tookMs)),
  };
}

/** Only the time is set where no change waits. */
interface CountedRow extends Omit<SlotWork, 'oldest'> {
  readonly oldest: string | null;
  readonly tookMs: number;
}

/** Changes that are taken from a slot, to be drained. */
export interface TakenChanges {
  readonly drainNo: number;
  /** All taken changes were made at this time or before. */
  readonly time: ClusterTime;
  readonly rows: readonly { readonly seq: number; readonly id: Buffer }[];
}

/** Which changes to take from a slot: new ones, or rejected ones after a position. */
export interface Taking {
  readonly limit: number;
  /** Null for new changes; else rejected changes with a higher number than this. */
  readonly refusedAfter: number | null;
}

/** In one statement, so that the time is not before that of the rows. @returns null if another process or host owns the slot */
export async function takeChanges(
  client: pg.Client,
  { streamId, collectionNo }: Pick<FollowedCollection, 'streamId' | 'collectionNo'>,
  { slot, epoch }: OwnedSlot,
  { limit, refusedAfter }: Taking,
): Promise<TakenChanges | null> {
  const { rows } = await client.query<{
    drainNo: string;
    time: string;
    seq: string | null;
    id: Buffer;
  }>({
    name: 'take-changes',
    text: `SELECT s.drain_no AS "drainNo", least(t.token_time, t.server_time) AS time, c.seq, c.id
       FROM mongo2pg.slots s JOIN mongo2pg.streams t USING (stream_id)
       LEFT JOIN LATERAL (
         SELECT seq, id FROM mongo2pg.changes c
          WHERE c.stream_id = s.stream_id AND c.collection_no = s.collection_no AND c.slot = s.slot
            AND c.is_refused = ($6::bigint IS NOT NULL) AND c.seq > coalesce($6, 0)
          ORDER BY seq LIMIT $5) c ON true
      WHERE s.stream_id = $1 AND s.collection_no = $2 AND s.slot = $3 AND s.epoch = $4`,
    values: [streamId, collectionNo, slot, epoch, limit, refusedAfter],
  });
  const [first] = rows;
  if (first === undefined) return null;
  const taken = rows.flatMap(({ seq, id }) => (seq === null ? [] : [{ seq: Number(seq), id }]));
  return { drainNo: Number(first.drainNo), time: BigInt(first.time), rows: taken };
}
