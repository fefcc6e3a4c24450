/** Sessions of workers that outlive their primary: their transactions are waited for, and ended if they take too long. */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';

/** Enough to commit a batch that was sent already. */
const grace = '10s';

/** In the first round some may be too young to be ended, and in the second they are not. */
const maxRounds = 3;

const lockNotAvailable = '55P03';

/**
 * Locks the run's row and those of its open ranges until the end of the transaction, so that no worker claims a batch of
 * it any more. Each holds a lock on its range while it loads one. (Before ledger version 6 it was one on the run.)
 * @throws TargetError when somebody else holds a lock
 */
export async function endOrphanedSessions(client: pg.Client, runId: string): Promise<void> {
  await endOrphanedSessionsDuring(client, `rows of run ${runId} in the schema mongo2pg`, async () => {
    // The run first, or its primary could open another range in between.
    await client.query(
      `SELECT FROM mongo2pg.runs WHERE run_id = ${runId} FOR UPDATE;
       SELECT FROM mongo2pg.ranges WHERE run_id = ${runId} AND closed_at IS NULL ORDER BY range_no FOR UPDATE`,
    );
  });
}

/**
 * Takes locks of the ledger in a transaction. Where that lasts because a worker has a batch under way, its session is
 * ended: its process may be stopped or cut off. (Which session holds a row's lock nobody tells. One of another run that
 * takes as long may be met, and does its batch again.)
 * @param what is locked, for people
 * @throws TargetError when somebody else holds a lock
 */
export async function endOrphanedSessionsDuring(
  client: pg.Client,
  what: string,
  takeLocks: () => Promise<void>,
): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = '${grace}'`);
  for (let round = 1; !(await tryLock(client, takeLocks)); round++) {
    if (round === maxRounds) {
      throw new TargetError(`another session holds a lock on ${what}`, {
        code: 'LEDGER_LOCKED',
        fix: 'it is not one of this tool, or one of another user: find it in pg_locks, and end it.',
      });
    }
    // Not now(), which is when this transaction began. Where track_activities is off, nobody knows how old one is, nor
    // whether it is idle: whoever holds the lock is ended, which does no harm to one that is at work.
    await client.query(
      `SELECT pg_terminate_backend(a.pid)
         FROM pg_stat_activity a JOIN pg_locks l USING (pid)
        WHERE a.application_name LIKE 'mongo2pg worker%' AND a.state <> 'idle' AND a.datname = current_database()
          AND l.relation IN ('mongo2pg.ranges'::regclass, to_regclass('mongo2pg.slots')) AND l.mode = 'RowShareLock'
          AND coalesce(a.xact_start < clock_timestamp() - interval '${grace}', true)`,
    );
  }
  await client.query('SET LOCAL lock_timeout = 0');
}

async function tryLock(client: pg.Client, takeLocks: () => Promise<void>): Promise<boolean> {
  await client.query('SAVEPOINT orphaned_sessions');
  try {
    await takeLocks();
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === lockNotAvailable)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT orphaned_sessions');
    return false;
  }
}
