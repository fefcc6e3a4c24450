/** The ledger's rows of the phases of a run: those that it has reached, with the account of each that is done. */

import type pg from 'pg';
import type { CopyAccount, IndexPhaseAccount, PhaseName } from '../../observe/status.ts';
import { synchronousPart } from '../connection/synchronous-commit.ts';
import { SupersededError, type Leadership } from './leadership.ts';

/** A condition on a row `r` of `runs`. */
export function isDoneCondition(phase: PhaseName): string {
  return `EXISTS (SELECT FROM mongo2pg.phases p
                   WHERE p.run_id = r.run_id AND p.phase = '${phase}' AND p.done_at IS NOT NULL)`;
}

/**
 * Ends the copy phase, when every document is committed, and begins the index phase. To be called in a transaction; can be repeated
 * if it is unknown whether that was committed.
 * @param read number of documents read, by earlier processes too
 * @returns the account: `read`, and the sums of the ledger
 * @throws SupersededError
 */
export async function finishCopy(
  client: pg.Client,
  { runId, epoch }: Leadership,
  read: number,
): Promise<CopyAccount> {
  const { rows } = await client.query<{ account: CopyAccount }>(
    `WITH ${synchronousPart},
     led AS (SELECT run_id FROM mongo2pg.runs, synchronous WHERE run_id = $1 AND epoch = $2 FOR UPDATE OF runs),
     next AS (
       INSERT INTO mongo2pg.phases (run_id, phase) SELECT run_id, 'index' FROM led ON CONFLICT DO NOTHING),
     total AS (
       SELECT coalesce(sum(copied), 0) AS copied, coalesce(sum(dead_lettered), 0) AS dead_lettered,
              coalesce(sum(dropped), 0) AS dropped, coalesce(sum(copied + added_rows), 0) AS rows,
              coalesce(sum(bytes), 0) AS bytes, coalesce(sum(child_rows), 0) AS child_rows
         FROM mongo2pg.batches WHERE run_id = $1)
     UPDATE mongo2pg.phases p
        SET done_at = now(),
            account = jsonb_build_object('read', $3::bigint, 'copied', copied, 'deadLettered', dead_lettered,
                                         'dropped', dropped, 'rows', rows, 'bytes', bytes, 'childRows', child_rows)
       FROM led, total WHERE p.run_id = led.run_id AND p.phase = 'copy'
     RETURNING p.account`,
    [runId, epoch, read],
  );
  const row = rows[0];
  if (row === undefined) throw new SupersededError();
  return row.account;
}

/** Ends the index phase, and so the run. @throws SupersededError */
export async function finishIndexes(
  client: pg.Client,
  { runId, epoch }: Leadership,
  account: IndexPhaseAccount,
): Promise<void> {
  const { rowCount } = await client.query(
    `WITH ${synchronousPart},
     led AS (
       UPDATE mongo2pg.runs SET finished_at = now() FROM synchronous WHERE run_id = $1 AND epoch = $2 RETURNING run_id)
     UPDATE mongo2pg.phases p SET done_at = now(), account = $3
       FROM led WHERE p.run_id = led.run_id AND p.phase = 'index'`,
    [runId, epoch, JSON.stringify(account)],
  );
  if (rowCount === 0) throw new SupersededError();
}
