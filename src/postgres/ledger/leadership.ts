/**
 * The leader of a run is the process that opened it last. Writes of earlier leaders and their workers are rejected by the epoch.
 */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { runStatements } from '../connection/several-statements.ts';

export interface Leadership {
  readonly runId: string;
  /** Rises with each process that takes over the run. */
  readonly epoch: number;
}

export class SupersededError extends TargetError {
  constructor() {
    super('another process has taken this run over', {
      code: 'RUN_TAKEN_OVER',
      fix: 'let that one finish; nothing that this one copied is lost or duplicated.',
    });
  }
}

/**
 * Makes this process the leader of the run. For batches that workers of an earlier one have in flight, see `endOrphanedSessions`.
 * @returns the run's new epoch
 */
export async function takeOverRun(client: pg.Client, runId: string): Promise<number> {
  const { rows } = await client.query<{ epoch: number }>(
    'UPDATE mongo2pg.runs SET epoch = epoch + 1 WHERE run_id = $1 RETURNING epoch',
    [runId],
  );
  const epoch = rows[0]?.epoch;
  if (epoch === undefined) throw new Error(`the ledger has no run ${runId}`);
  return epoch;
}

/**
 * Like `requireLeadership`, and also waits for all batches in flight, and keeps workers from claiming another.
 * @throws SupersededError
 */
export async function requireExclusiveLeadership(
  client: pg.Client,
  { runId, epoch }: Leadership,
): Promise<void> {
  const [run] = await runStatements(
    client,
    `SELECT FROM mongo2pg.runs WHERE run_id = ${runId} AND epoch = ${epoch} FOR UPDATE;
     SELECT FROM mongo2pg.ranges WHERE run_id = ${runId} AND closed_at IS NULL ORDER BY range_no FOR UPDATE`,
  );
  if (run?.rowCount === 0) throw new SupersededError();
}

/** To be called in a transaction, until the end of which no other process takes over the run. @throws SupersededError */
export async function requireLeadership(client: pg.Client, { runId, epoch }: Leadership): Promise<void> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.runs WHERE run_id = $1 AND epoch = $2 FOR UPDATE',
    [runId, epoch],
  );
  if (rowCount === 0) throw new SupersededError();
}
