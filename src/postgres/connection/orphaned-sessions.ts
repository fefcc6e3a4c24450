/** Sessions of workers whose primary is gone. Their transactions are waited for, and ended if they take too long. */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { inOneTrip } from './one-trip.ts';

/** Enough for a worker to commit a batch that it has sent. */
const grace = '10s';

/** A session that is too young to be ended in the first round is old enough in the second. */
const maxRounds = 3;

const lockNotAvailable = '55P03';

/**
 * Locks the run's row and those of its open ranges until the end of the transaction, so that no worker can claim another batch of
 * it. A worker that loads a batch holds a lock on its range. (Before ledger version 6, on the run.)
 * @throws TargetError when
 * another session holds a lock
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
 * Takes locks of the ledger in a transaction. If that takes long because a worker loads a batch, its session is ended: its process
 * may hang or be cut off. (Postgres does not show which session holds a row lock. A session of another run that takes as long may
 * be ended too; its batch is then retried.)
 * @param what is locked, for messages
 * @throws TargetError when another session holds a
 * lock
 */
export async function endOrphanedSessionsDuring(
  client: pg.Client,
  what: string,
  takeLocks: () => Promise<void>,
): Promise<void> {
  for (let round = 1; !(await tryLock(client, takeLocks)); round++) {
    if (round === maxRounds) {
      throw new TargetError(`another session holds a lock on ${what}`, {
        code: 'LEDGER_LOCKED',
        fix: 'it belongs to another program or another user: find it in pg_locks, and end it.',
      });
    }
    // Not now(), which is the start of this transaction. With track_activities off, neither the age nor the state of a session is
    // known. Then the holder of the lock is ended, which is safe: its batch is retried.
    await client.query(
      `SELECT pg_terminate_backend(a.pid)
         FROM pg_stat_activity a JOIN pg_locks l USING (pid)
        WHERE a.application_name LIKE 'mongo2pg worker%' AND a.state <> 'idle' AND a.datname = current_database()
          AND l.relation IN ('mongo2pg.ranges'::regclass, to_regclass('mongo2pg.slots')) AND l.mode = 'RowShareLock'
          AND coalesce(a.xact_start < clock_timestamp() - interval '${grace}', true)`,
    );
  }
}

async function tryLock(client: pg.Client, takeLocks: () => Promise<void>): Promise<boolean> {
  const begin = `SAVEPOINT orphaned_sessions; SET LOCAL lock_timeout = '${grace}'`;
  try {
    await inOneTrip(client, () => client.query(begin), takeLocks);
    await client.query('SET LOCAL lock_timeout = 0');
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === lockNotAvailable)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT orphaned_sessions');
    return false;
  }
}
