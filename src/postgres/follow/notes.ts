/**
 * Notes: the ids that drains have merged, recorded in the transaction of the drain, to be compared again. A comparison takes notes
 * of one slot at a time, so that each document occurs in one comparison only, and removes exactly these once all are compared.
 */

import type pg from 'pg';
import { countDocuments, listDocuments } from '../../bson/cursor.ts';
import { nameOfBytes } from '../../bson/document-id.ts';
import type { ClusterTime } from '../../source/cluster-time.ts';
import type { Drain } from '../../source/page.ts';
import { asBuffer } from '../connection/bytea.ts';
import type { FollowedCollection } from '../worker-settings.ts';
import type { NotedId } from './unverified.ts';

type Place = Pick<FollowedCollection, 'streamId' | 'collectionNo'>;

/** To be part of the transaction that merges the drain. */
export function noteStatement(
  { streamId, collectionNo }: Place,
  { slot, drainNo, ids }: Pick<Drain, 'slot' | 'drainNo' | 'ids'>,
): string {
  return `INSERT INTO mongo2pg.notes (stream_id, collection_no, slot, drain_no, documents, ids)
    VALUES (${streamId}, ${collectionNo}, ${slot}, ${drainNo}, ${countDocuments(ids)}, '\\x${asBuffer(ids).toString('hex')}')`;
}

/** Notes of one slot. */
export interface TakenNotes {
  readonly slot: number;
  readonly drainNos: readonly number[];
  /** Each document once, even if several drains have merged it. */
  readonly ids: readonly NotedId[];
  /** Time of MongoDB: everything that these drains have merged was written at this time or before. */
  readonly time: ClusterTime;
}

/** Position in a pass over all notes: drains of a slot up to this one. */
export interface NotePosition {
  readonly slot: number;
  readonly drainNo: number;
}

/** @param after null to begin with the first @returns the next notes of one slot; null if there are none */
export async function takeNotes(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  after: NotePosition | null,
  maxDrains: number,
): Promise<TakenNotes | null> {
  const { rows } = await client.query<{
    time: string;
    slot: number;
    drainNo: string;
    ids: Buffer;
    slotDrainNo: string;
  }>({
    name: 'take-notes',
    text: `SELECT least(s.token_time, s.server_time) AS time, n.slot, n.drain_no AS "drainNo", n.ids,
              k.drain_no AS "slotDrainNo"
         FROM mongo2pg.notes n JOIN mongo2pg.streams s USING (stream_id)
         JOIN mongo2pg.slots k USING (stream_id, collection_no, slot)
        WHERE n.stream_id = $1 AND n.collection_no = $2
          AND (n.slot, n.drain_no) > ($3, $4)
          AND n.slot = (SELECT min(m.slot) FROM mongo2pg.notes m
                         WHERE m.stream_id = $1 AND m.collection_no = $2 AND (m.slot, m.drain_no) > ($3, $4))
        ORDER BY n.drain_no LIMIT $5`,
    values: [streamId, collectionNo, after?.slot ?? -1, after?.drainNo ?? -1, maxDrains],
  });
  const [first] = rows;
  if (first === undefined) return null;
  const drainNo = Number(first.slotDrainNo);
  const ids = new Map<string, NotedId>();
  for (const { ids: array } of rows) {
    for (const id of listDocuments(array)) {
      ids.set(nameOfBytes(id), { id, drainNo, version: null });
    }
  }
  return {
    slot: first.slot,
    drainNos: rows.map((row) => Number(row.drainNo)),
    ids: [...ids.values()],
    time: BigInt(first.time),
  };
}

/** To be called when all of them are compared, and differences are recorded. */
export async function removeNotes(
  client: pg.Client,
  { streamId, collectionNo }: Place,
  { slot, drainNos }: Pick<TakenNotes, 'slot' | 'drainNos'>,
): Promise<void> {
  await client.query(
    `DELETE FROM mongo2pg.notes
      WHERE stream_id = $1 AND collection_no = $2 AND slot = $3 AND drain_no = ANY ($4)`,
    [streamId, collectionNo, slot, drainNos],
  );
}
