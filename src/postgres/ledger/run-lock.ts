/** Advisory locks that exclude two runs on one table, and two starts of one job. They last as long as their session. */

import pg from 'pg';
import { UsageError } from '../../common/errors.ts';
import { qualifiedName } from '../connection/relations.ts';

/** Separates our advisory locks from those of other programs. */
const lockSpace = 6_464_703;

/** Postgres notices within 2 s that the client of a session is gone (see `connectPostgres`), and releases its lock. */
const lockTimeout = '5s';

const lockNotAvailable = '55P03';

/** A condition on a row `l` of pg_locks; $1 is the name of the lock, $2 our space. */
const isHeld = `
  l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended($1, $2)`;

/** @throws UsageError when another session holds the lock */
export async function lockTable(client: pg.Client, table: { schema: string; table: string }): Promise<void> {
  const name = qualifiedName(table);
  if (await waitForLock(client, name)) return;
  throw new UsageError(`another run is loading the table ${name}${await describeHolder(client, name)}`, {
    code: 'TABLE_BUSY',
    fix: 'let it finish, or stop it; then the same command resumes where it stopped.',
  });
}

/** @throws UsageError when another session holds the lock */
export async function lockJob(client: pg.Client, jobId: string): Promise<void> {
  const name = jobLock(jobId);
  if (await waitForLock(client, name)) return;
  throw new UsageError(`another start is copying the same collections${await describeHolder(client, name)}`, {
    code: 'JOB_BUSY',
    fix: 'let it finish, or stop it; then the same command resumes where it stopped.',
  });
}

/** @throws UsageError when another session holds the lock */
export async function lockStream(client: pg.Client, streamId: string): Promise<void> {
  const name = streamLock(streamId);
  if (await waitForLock(client, name)) return;
  throw new UsageError(`another process follows the same collections${await describeHolder(client, name)}`, {
    code: 'STREAM_BUSY',
    fix: 'let it follow, or stop it: then the same command resumes where it stopped.',
  });
}

/** Only one process at a time compares followed collections. @returns whether this one has the lock */
export async function tryLockComparison(client: pg.Client, streamId: string): Promise<boolean> {
  const { rows } = await client.query<{ isLocked: boolean }>(
    'SELECT pg_try_advisory_lock(hashtextextended($1, $2)) AS "isLocked"',
    [comparisonLock(streamId), lockSpace],
  );
  return rows[0]?.isLocked === true;
}

/** Waits while another process compares. */
export async function lockComparison(client: pg.Client, streamId: string): Promise<void> {
  await client.query('SELECT pg_advisory_lock(hashtextextended($1, $2))', [
    comparisonLock(streamId),
    lockSpace,
  ]);
}

export async function unlockComparison(client: pg.Client, streamId: string): Promise<void> {
  await unlock(client, comparisonLock(streamId));
}

/** Until the end of the transaction; waits for another process that runs a script of the same copy. */
export async function lockScripts(client: pg.Client, copy: string): Promise<void> {
  await lockUntilEnd(client, `scripts ${copy}`);
}

/** Until the end of the transaction; waits for another holder. @param name distinguishes our locks */
export async function lockUntilEnd(client: pg.Client, name: string): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [name, lockSpace]);
}

/** Whether any session holds the lock; does not take it. */
export async function isStreamLocked(client: pg.Client, streamId: string): Promise<boolean> {
  return await isLocked(client, streamLock(streamId));
}

/**
 * Locks these tables and jobs against all other sessions until the end of the transaction.
 * @returns who is using them, for messages; empty if all locks were taken
 */
export async function reserve(
  client: pg.Client,
  tables: readonly { schema: string; table: string }[],
  jobIds: readonly string[],
): Promise<string[]> {
  const holders: string[] = [];
  for (const name of [...tables.map(qualifiedName), ...jobIds.map(jobLock)]) {
    // A session of a dead client has released its lock by then. The others are in use: waiting longer is no use.
    const hasLock = await waitInTransaction(client, name, holders.length === 0 ? lockTimeout : '1ms');
    if (!hasLock) holders.push(`${name}${await describeHolder(client, name)}`);
  }
  return holders;
}

async function waitInTransaction(client: pg.Client, name: string, timeout: string): Promise<boolean> {
  await client.query(`SAVEPOINT reservation; SET LOCAL lock_timeout = '${timeout}'`);
  try {
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, $2))', [name, lockSpace]);
    await client.query('SET LOCAL lock_timeout = 0');
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === lockNotAvailable)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT reservation');
    return false;
  }
}

export async function unlockTable(
  client: pg.Client,
  table: { schema: string; table: string },
): Promise<void> {
  await unlock(client, qualifiedName(table));
}

export async function unlockJob(client: pg.Client, jobId: string): Promise<void> {
  await unlock(client, jobLock(jobId));
}

async function unlock(client: pg.Client, name: string): Promise<void> {
  await client.query('SELECT pg_advisory_unlock(hashtextextended($1, $2))', [name, lockSpace]);
}

/** Whether any session holds the lock; does not take it. */
export async function isTableLocked(
  client: pg.Client,
  table: { schema: string; table: string },
): Promise<boolean> {
  return await isLocked(client, qualifiedName(table));
}

/** Whether any session holds the lock; does not take it. */
export async function isJobLocked(client: pg.Client, jobId: string): Promise<boolean> {
  return await isLocked(client, jobLock(jobId));
}

/** Unlike any qualified name, which is quoted. */
function jobLock(jobId: string): string {
  return `job ${jobId}`;
}

function streamLock(streamId: string): string {
  return `stream ${streamId}`;
}

function comparisonLock(streamId: string): string {
  return `comparison ${streamId}`;
}

async function isLocked(client: pg.Client, name: string): Promise<boolean> {
  const { rowCount } = await client.query(`SELECT FROM pg_locks l WHERE ${isHeld}`, [name, lockSpace]);
  return (rowCount ?? 0) > 0;
}

/** One statement that waits, and not many that try, so that pg_stat_activity shows the wait. @returns whether the lock was taken */
async function waitForLock(client: pg.Client, name: string): Promise<boolean> {
  try {
    // One transaction: where the lock is not taken, the first setting is taken back too.
    await client.query(
      `SET lock_timeout = '${lockTimeout}';
       SELECT pg_advisory_lock(hashtextextended(${pg.escapeLiteral(name)}, ${lockSpace}));
       SET lock_timeout = 0`,
    );
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === lockNotAvailable)) throw error;
    return false;
  }
}

async function describeHolder(client: pg.Client, name: string): Promise<string> {
  const { rows } = await client.query<{ host: string | null; since: string; pid: number }>(
    `SELECT a.client_addr::text AS host, to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ') AS since, a.pid
       FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE ${isHeld}`,
    [name, lockSpace],
  );
  const holder = rows[0];
  if (holder === undefined) return '';
  return ` (from ${holder.host ?? 'the same machine'}, since ${holder.since}; Postgres process ${holder.pid})`;
}
