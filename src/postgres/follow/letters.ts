/**
 * Dead letters of changed documents. The ledger keeps them together with those of the copy, in a range 0 that the copy does not
 * use, with one batch for each slot.
 */

import type pg from 'pg';
import { nameDocument, insertDeadLetters, type LedgerLetter } from '../ledger/dead-letters.ts';

/** Ranges of the copy count from 1. */
const rangeNo = 0;

/** Removes the dead letters of documents that are merged again. */
export async function removeLetters(
  client: pg.Client,
  runId: string,
  ids: readonly Uint8Array[],
): Promise<void> {
  const names = ids.map(nameDocument);
  await client.query('DELETE FROM mongo2pg.dead_letters WHERE run_id = $1 AND document_id = ANY ($2)', [
    runId,
    names.flatMap(({ id }) => id ?? []),
  ]);
}

/** To be called with the slot locked: letters are numbered within it. */
export async function keepLetters(
  client: pg.Client,
  { runId, slot, collection }: { readonly runId: string; readonly slot: number; readonly collection: string },
  letters: readonly LedgerLetter[],
): Promise<void> {
  if (letters.length === 0) return;
  await client.query(
    `INSERT INTO mongo2pg.ranges (run_id, range_no, closed_at) VALUES ($1, $2, now()) ON CONFLICT DO NOTHING`,
    [runId, rangeNo],
  );
  await client.query(
    `INSERT INTO mongo2pg.batches (run_id, range_no, batch, last_id, documents, copied, dead_lettered, bytes)
     VALUES ($1, $2, $3, '', 0, 0, 0, 0) ON CONFLICT DO NOTHING`,
    [runId, rangeNo, slot],
  );
  const { rows } = await client.query<{ next: number }>(
    `SELECT coalesce(max(ordinal) + 1, 0) AS next FROM mongo2pg.dead_letters
      WHERE run_id = $1 AND range_no = $2 AND batch = $3`,
    [runId, rangeNo, slot],
  );
  const next = rows[0]?.next ?? 0;
  const numbered = letters.map((letter, index) => ({ ...letter, ordinal: next + index }));
  await insertDeadLetters(client, { runId, rangeNo, number: slot, collection }, numbered);
}
