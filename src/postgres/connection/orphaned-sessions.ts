/** Sessions of workers whose primary is gone. Their transactions are waited for, and ended if they take too long. */

import pg from 'pg';
import { TargetError } from '../../common/errors.ts';
import { askNodes, isPreparedHere, recoverOnNodes } from './citus.ts';
import { inOneTrip } from './one-trip.ts';
import { nodeAwayFix } from './prepared-transactions.ts';

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
    const isPrepared = await hasPrepared(client);
    // Only the server that has begun them knows how they end.
    if (isPrepared) await recoverOnNodes(client);
    if (round === maxRounds) {
      if (isPrepared) {
        throw new TargetError(
          `Citus: transactions hold locks on ${what}, and the node that has begun them does not answer`,
          { code: 'CITUS_NODE_AWAY', fix: nodeAwayFix, isServerGone: true },
        );
      }
      throw new TargetError(`another session holds a lock on ${what}`, {
        code: 'LEDGER_LOCKED',
        fix: 'it belongs to another program or another user: find it in pg_locks, and end it.',
      });
    }
    // On Citus, that of a worker may be on a node, and another one is here for it: without that, the node's transaction is undone.
    // Not now(), which is the start of this transaction. With track_activities off, neither the age nor the state of a session is
    // known. Then the holder of the lock is ended, which is safe: its batch is retried.
    const { rows: ended } = await client.query<{ name: string }>(
      `SELECT pg_terminate_backend(a.pid), a.application_name AS name
         FROM pg_stat_activity a JOIN pg_locks l USING (pid)
        WHERE (a.application_name LIKE 'mongo2pg worker%' OR a.application_name LIKE 'citus\\_internal%')
          AND a.state <> 'idle' AND a.datname = current_database()
          AND l.relation IN ('mongo2pg.ranges'::regclass, to_regclass('mongo2pg.slots')) AND l.mode = 'RowShareLock'
          AND coalesce(a.xact_start < clock_timestamp() - interval '${grace}', true)`,
    );
    await endOnNodes(
      client,
      ended.map(({ name }) => name),
    );
  }
}

/** Citus composes the global id of a process of its node and its own id. */
const globalIdBase = 10_000_000_000n;

/**
 * Ends the sessions on nodes that others were here for. A process that hangs would notice nothing, and its rows would remain locked.
 * @param names of sessions that were ended here, such as `citus_internal gpid=20000017434`
 */
async function endOnNodes(client: pg.Client, names: readonly string[]): Promise<void> {
  const ids = names.flatMap((name) => /^citus_internal gpid=(\d+)/.exec(name)?.[1] ?? []).map(BigInt);
  if (ids.length === 0) return;
  const places = ids.map((id) => `(${id / globalIdBase}, ${id % globalIdBase})`);
  await askNodes(
    client,
    `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
      WHERE application_name LIKE 'mongo2pg worker%' AND datname = current_database()
        AND ((SELECT nodeid FROM pg_dist_node WHERE groupid = (SELECT groupid FROM pg_dist_local_group) AND noderole = 'primary'), pid)
            IN (${places.join(', ')})`,
  );
}

/** Whether transactions of Citus stay prepared here. They keep their locks without a session. */
async function hasPrepared(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_prepared_xacts WHERE ${isPreparedHere} AND prepared < clock_timestamp() - interval '5s'`,
  );
  return (rowCount ?? 0) > 0;
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
