/** Who leads a run: the process that opened it last. Whatever an earlier one, or a worker of it, still wants to write is refused. */

import type pg from 'pg';
import { TargetError } from '../../common/errors.ts';

export interface Lead {
  readonly runId: string;
  /** Counts the processes that have led the run. */
  readonly epoch: number;
}

export class SupersededError extends TargetError {
  constructor() {
    super('another process has taken this run over', {
      code: 'RUN_TAKEN_OVER',
      fix: 'let that one finish; nothing of this one is lost or doubled.',
    });
  }
}

/**
 * Makes this process the one that leads the run. What workers of an earlier one have under way is another matter: see
 * `endOrphanedSessions`.
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

/** Like `requireLead`; waits for all batches under way as well, and no worker claims another. @throws SupersededError */
export async function requireLeadAlone(client: pg.Client, { runId, epoch }: Lead): Promise<void> {
  // One round trip. The driver returns the results of several statements as a list.
  const results = (await client.query(
    `SELECT FROM mongo2pg.runs WHERE run_id = ${runId} AND epoch = ${epoch} FOR UPDATE;
     SELECT FROM mongo2pg.ranges WHERE run_id = ${runId} AND closed_at IS NULL ORDER BY range_no FOR UPDATE`,
  )) as unknown as pg.QueryResult[];
  if (results[0]?.rowCount === 0) throw new SupersededError();
}

/** In a transaction, nobody takes the run over before its end. @throws SupersededError */
export async function requireLead(client: pg.Client, { runId, epoch }: Lead): Promise<void> {
  const { rowCount } = await client.query(
    'SELECT FROM mongo2pg.runs WHERE run_id = $1 AND epoch = $2 FOR UPDATE',
    [runId, epoch],
  );
  if (rowCount === 0) throw new SupersededError();
}
