/** Deletes rows without a document, and counts them. */

import type pg from 'pg';
import type { Plan } from '../../transcode/plan.ts';
import { deleteExtraRows } from '../compare/key-collection.ts';
import { requireEpoch } from '../ledger/streams/stream.ts';
import type { FollowedCollection } from '../worker-settings.ts';

/**
 * Safe while changes are read: a document that is written again has a change in the journal. To be called in a transaction.
 * @throws StreamEndedError if this process is superseded: its list of documents is outdated
 */
export async function removeSurplus(
  client: pg.Client,
  { streamId, collectionNo, epoch }: FollowedCollection,
  plan: Plan,
  runId: string,
): Promise<void> {
  await requireEpoch(client, { streamId, epoch });
  const { rows, childRows } = await deleteExtraRows(client, plan, runId);
  await client.query(
    `UPDATE mongo2pg.slots SET deleted = deleted + $3, child_rows = child_rows - $4
      WHERE stream_id = $1 AND collection_no = $2 AND slot = 0`,
    [streamId, collectionNo, rows, childRows],
  );
}
