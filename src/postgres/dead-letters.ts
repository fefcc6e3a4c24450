/** The ledger's dead letters: documents that could not become rows, kept whole. */

import type pg from 'pg';
import type { LetterCount } from '../events.ts';
import type { DeadLetter } from '../transcode/row.ts';

/** A dead letter of the transcoder, or one that only came to light while loading. */
export interface LedgerLetter extends Omit<DeadLetter, 'reason'> {
  readonly reason: DeadLetter['reason'] | 'refused' | 'worker_died';
  /** Postgres's SQLSTATE, where it refused the row. */
  readonly code: string | null;
}

export async function insertDeadLetters(
  client: pg.Client,
  place: { readonly runId: string; readonly batch: number; readonly collection: string },
  letters: readonly LedgerLetter[],
): Promise<void> {
  if (letters.length === 0) return;
  await client.query(
    `INSERT INTO mongo2pg.dead_letters
            (run_id, batch, collection, ordinal, document_id, reason, code, column_name, detail, document)
     SELECT $1, $2, $3, * FROM unnest($4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[])`,
    [
      place.runId,
      place.batch,
      place.collection,
      letters.map(({ ordinal }) => ordinal),
      letters.map(({ id }) => id),
      letters.map(({ reason }) => reason),
      letters.map(({ code }) => code),
      letters.map(({ column }) => column),
      letters.map(({ detail }) => detail),
      letters.map(({ document }) => document),
    ],
  );
}

/** Reasons of a run's dead letters, the most frequent first. */
export async function countDeadLetters(client: pg.Client, runId: string): Promise<LetterCount[]> {
  const { rows } = await client.query<Omit<LetterCount, 'count'> & { count: string }>(
    `SELECT reason, code, count(*) AS count, min(detail) AS example FROM mongo2pg.dead_letters
      WHERE run_id = $1 GROUP BY reason, code ORDER BY count(*) DESC, reason, code`,
    [runId],
  );
  return rows.map((row) => ({ ...row, count: Number(row.count) }));
}
