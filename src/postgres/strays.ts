/** Workers that outlive their primary: what they have under way is waited for, and ended when it takes too long. */

import pg from 'pg';
import { TargetError } from '../errors.ts';

/** Enough to commit a batch that was sent already. */
const grace = '10s';

/** In the first round some may be too young to be ended, and in the second they are not. */
const maxRounds = 3;

const lockNotAvailable = '55P03';

/**
 * Locks the run's row until the end of the transaction, so that no worker claims a batch of it any more. Each holds a
 * share lock on it while it loads one; where that lasts, its session is ended: its process may be stopped or cut off.
 * (Which session holds a row's lock nobody tells. One of another run that takes as long may be met, and does its batch
 * again.)
 * @throws TargetError when somebody else holds the lock
 */
export async function endStrays(client: pg.Client, runId: string): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = '${grace}'`);
  for (let round = 1; !(await tryLock(client, runId)); round++) {
    if (round === maxRounds) {
      throw new TargetError(`another session holds a lock on the row of run ${runId} in mongo2pg.runs`, {
        code: 'RUN_ROW_LOCKED',
        fix: 'it is not one of this tool, or one of another user: find it in pg_locks, and end it.',
      });
    }
    // Not now(), which is when this transaction began.
    await client.query(
      `SELECT pg_terminate_backend(a.pid)
         FROM pg_stat_activity a JOIN pg_locks l USING (pid)
        WHERE a.application_name = 'mongo2pg worker' AND a.state <> 'idle' AND a.datname = current_database()
          AND l.relation = 'mongo2pg.runs'::regclass AND l.mode = 'RowShareLock'
          AND a.xact_start < clock_timestamp() - interval '${grace}'`,
    );
  }
  await client.query('SET LOCAL lock_timeout = 0');
}

async function tryLock(client: pg.Client, runId: string): Promise<boolean> {
  await client.query('SAVEPOINT strays');
  try {
    await client.query('SELECT FROM mongo2pg.runs WHERE run_id = $1 FOR UPDATE', [runId]);
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === lockNotAvailable)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT strays');
    return false;
  }
}
