/**
 * The ledger's rows of slots: the parts of a followed collection, each drained by one owner at a time. The owner is the process that
 * follows, or with several hosts the host that the row names.
 *
 * Invariants
 * - the epoch of a slot rises whenever its owner changes, and a merge checks it in its own transaction, with the row locked: a
 *   former owner can merge nothing more;
 * - a change of owners is on the disk before it is known, so that a crash of PostgreSQL never gives two owners the same epoch.
 */

import type pg from 'pg';
import { slotCount } from '../../../bson/id-key.ts';
import type { FollowedCollection } from '../../worker-settings.ts';
import { endOrphanedSessionsDuring } from '../../connection/orphaned-sessions.ts';
import { commitSynchronously } from '../../connection/synchronous-commit.ts';

/** A slot as its owner knows it. */
export interface OwnedSlot {
  readonly slot: number;
  readonly epoch: number;
}

/** The epochs of owned slots, by slot. */
export type OwnedSlots = ReadonlyMap<number, number>;

export const noSlots: OwnedSlots = new Map();

/**
 * Creates the slots of a collection that is about to be followed; those that exist are kept. To be called in a transaction in which
 * this process is known to be the one that follows.
 * @returns all slots
 */
export async function createSlots(
  client: pg.Client,
  { streamId, collectionNo }: Pick<FollowedCollection, 'streamId' | 'collectionNo'>,
): Promise<OwnedSlots> {
  await commitSynchronously(client);
  await client.query(
    `INSERT INTO mongo2pg.slots (stream_id, collection_no, slot, epoch)
     SELECT $1, $2, slot, 1 FROM generate_series(0, $3 - 1) AS slot ON CONFLICT DO NOTHING`,
    [streamId, collectionNo, slotCount],
  );
  const { rows } = await client.query<OwnedSlot>(
    'SELECT slot, epoch FROM mongo2pg.slots WHERE stream_id = $1 AND collection_no = $2',
    [streamId, collectionNo],
  );
  return new Map(rows.map(({ slot, epoch }) => [slot, epoch]));
}

/**
 * Takes the slots of a stream from their owners. To be called in a transaction. Waits for merges in flight; if that takes long, their
 * sessions are ended.
 * @param keepsLive whether slots of hosts that have not left are kept by them
 */
export async function fenceSlots(client: pg.Client, streamId: string, keepsLive = false): Promise<void> {
  await commitSynchronously(client);
  await endOrphanedSessionsDuring(client, `slots of stream ${streamId} in the schema mongo2pg`, async () => {
    await client.query(
      `UPDATE mongo2pg.slots s SET epoch = epoch + 1, host_id = NULL
        WHERE stream_id = $1
          AND NOT ($2 AND EXISTS (SELECT FROM mongo2pg.hosts h WHERE h.host_id = s.host_id AND h.left_at IS NULL))`,
      [streamId, keepsLive],
    );
  });
}

/**
 * Sets the slots of these collections back to their beginning, and takes them from their owners. They are not deleted: a slot that is
 * created again would have an epoch that an earlier owner may know.
 */
export async function resetSlots(
  client: pg.Client,
  streamId: string,
  collections: readonly string[],
): Promise<void> {
  await commitSynchronously(client);
  await client.query(
    `UPDATE mongo2pg.slots s
        SET epoch = epoch + 1, host_id = NULL, drain_no = 0, is_noted = false,
            inserted = 0, updated = 0, deleted = 0, child_rows = 0
       FROM mongo2pg.stream_collections c
      WHERE c.stream_id = $1 AND c.collection = ANY ($2)
        AND s.stream_id = c.stream_id AND s.collection_no = c.collection_no`,
    [streamId, collections],
  );
}
