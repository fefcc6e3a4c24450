/**
 * Slots of followed collections, as several hosts share them. The leader gives them to hosts, and takes them back.
 *
 * A slot:   waits ──shareSlots()──→ owned by a host ──shareSlots()──→ owned by another
 *             ↑____ released: the host left, or was declared dead
 * Invariants
 * - each change of owners raises the epoch of the slot, and is on the disk before a host can know of it (see `streams/slots.ts`);
 * - a slot in which a merge is in flight is not taken from a living host: the leader tries again.
 */

import type pg from 'pg';
import { endOrphanedSessionsDuring } from '../../connection/orphaned-sessions.ts';
import { commitSynchronously } from '../../connection/synchronous-commit.ts';
import type { OwnedSlots } from '../streams/slots.ts';
import { stoppedOf } from '../streams/stopped-collections.ts';
import { requireEpoch, type StreamRow } from '../streams/stream.ts';
import { requireLeading, type HostsKey } from './hosts.ts';
import { divideSlots, type SlotMove, type SlotOwner } from './slot-division.ts';

/** From now on the leader gives slots to this host. */
export async function offerToTakeSlots(client: pg.Client, hostId: string): Promise<void> {
  await client.query('UPDATE mongo2pg.hosts SET takes_slots = true WHERE host_id = $1 AND left_at IS NULL', [
    hostId,
  ]);
}

/** The stream that the leader follows, and itself. */
export interface LedStream extends Pick<StreamRow, 'streamId' | 'epoch'> {
  readonly hostId: string;
}

/** How the slots of these collections should move. @param lock see `shareSlots` */
export async function findSlotMoves(
  client: pg.Client,
  { streamId, hostId }: LedStream,
  collectionNos: readonly number[],
  lock: 'FOR KEY SHARE OF h SKIP LOCKED' | '' = '',
): Promise<SlotMove[]> {
  const { rows: hosts } = await client.query<{ hostId: string }>(
    `SELECT h.host_id AS "hostId"
       FROM mongo2pg.hosts h JOIN mongo2pg.hosts own USING (source_db, table_schema, selection)
      WHERE own.host_id = $1 AND h.left_at IS NULL AND (h.takes_slots OR h.host_id = $1)
      ORDER BY h.host_id ${lock}`,
    [hostId],
  );
  const { rows: owners } = await client.query<SlotOwner>(
    `SELECT collection_no AS "collectionNo", slot, host_id AS "hostId" FROM mongo2pg.slots
      WHERE stream_id = $1 AND collection_no = ANY ($2) ORDER BY 1, 2`,
    [streamId, collectionNos],
  );
  return divideSlots(
    owners,
    hosts.map((host) => host.hostId),
  );
}

/**
 * Gives the slots of these collections to the hosts that follow, evenly. To be called in a transaction. Waits for nothing: hosts that
 * are being declared dead, and slots in which a merge is in flight, are left for the next time.
 * @throws SupersededError, StreamEndedError if this host does not lead any more
 */
export async function shareSlots(
  client: pg.Client,
  led: LedStream,
  collectionNos: readonly number[],
): Promise<void> {
  await commitSynchronously(client);
  // Hosts before streams, and streams before slots, as everywhere, so that there are no deadlocks.
  await requireLeading(client, led.hostId);
  const moves = await findSlotMoves(client, led, collectionNos, 'FOR KEY SHARE OF h SKIP LOCKED');
  await requireEpoch(client, led);
  await client.query(
    `WITH moved AS (
       SELECT s.collection_no, s.slot, m.host_id
         FROM mongo2pg.slots s
         JOIN unnest($2::int[], $3::smallint[], $4::bigint[], $5::bigint[]) AS m (collection_no, slot, from_id, host_id)
           USING (collection_no, slot)
        WHERE s.stream_id = $1 AND s.host_id IS NOT DISTINCT FROM m.from_id
          FOR UPDATE OF s SKIP LOCKED)
     UPDATE mongo2pg.slots s SET host_id = m.host_id, epoch = epoch + 1 FROM moved m
      WHERE s.stream_id = $1 AND s.collection_no = m.collection_no AND s.slot = m.slot`,
    [
      led.streamId,
      moves.map(({ collectionNo }) => collectionNo),
      moves.map(({ slot }) => slot),
      moves.map(({ hostId }) => hostId),
      moves.map(({ to }) => to),
    ],
  );
}

/** What a host drains of a collection. */
export interface HostCollection {
  readonly streamId: string;
  /** Of the stream: rises with each leader that follows. Plans may have changed in between. */
  readonly epoch: number;
  readonly collectionNo: number;
  readonly collection: string;
  readonly runId: string;
  readonly slots: OwnedSlots;
  /** Whether a cutover waits for the last changes. */
  readonly isEnding: boolean;
}

/** The collections of the key's stream of which this host has slots, without those that have stopped. */
export async function listHostCollections(
  client: pg.Client,
  key: HostsKey,
  hostId: string,
): Promise<HostCollection[]> {
  const { rows } = await client.query<
    Omit<HostCollection, 'slots'> & { readonly slots: number[]; readonly epochs: number[] }
  >(
    `SELECT t.stream_id AS "streamId", t.epoch, c.collection_no AS "collectionNo", c.collection, c.run_id AS "runId", t.end_time IS NOT NULL AS "isEnding",
            array_agg(s.slot ORDER BY s.slot) AS slots, array_agg(s.epoch ORDER BY s.slot) AS epochs
       FROM mongo2pg.streams t JOIN mongo2pg.stream_collections c USING (stream_id)
       JOIN mongo2pg.slots s USING (stream_id, collection_no)
      WHERE t.source_db = $1 AND t.table_schema = $2 AND t.selection = $3 AND t.ended_at IS NULL AND s.host_id = $4
        AND c.run_id IS NOT NULL AND c.followed_at IS NOT NULL AND c.ended_by IS NULL
        AND NOT EXISTS (SELECT FROM (${stoppedOf('t.stream_id')}) p WHERE p.collection = c.collection)
      GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 3`,
    [key.sourceDb, key.schema, key.selection, hostId],
  );
  return rows.map(({ slots, epochs, ...row }) => ({
    ...row,
    slots: new Map(slots.map((slot, index) => [slot, epochs[index] ?? 0])),
  }));
}

/**
 * Releases the slots of a host. To be called in the transaction that ends its membership. Waits for merges in flight; if that takes
 * long, their sessions are ended.
 * @returns the number of slots that wait for another host because of it
 */
export async function releaseSlots(client: pg.Client, hostId: string): Promise<number> {
  await commitSynchronously(client);
  let released = 0;
  await endOrphanedSessionsDuring(client, `slots of host ${hostId} in the schema mongo2pg`, async () => {
    const { rowCount } = await client.query(
      'UPDATE mongo2pg.slots SET host_id = NULL, epoch = epoch + 1 WHERE host_id = $1',
      [hostId],
    );
    released = rowCount ?? 0;
  });
  return released;
}
