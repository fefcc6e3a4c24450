/** Asynchronous commits that a crash loses for certain: on a private PostgreSQL, nothing takes them to the disk by itself. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { waitUntil } from './embedded.ts';

/**
 * Whatever a vacuum commits would take along what was before it, and a page that is written needs its log before. The writer of the log
 * sleeps nearly all the time.
 */
const settings = { autovacuum: 'off', bgwriter_lru_maxpages: '0', wal_writer_delay: `'10s'` } as const;

/**
 * @param more settings, where commits of a command itself would do so
 * @returns kills the process that would take commits to the disk: a server that is to end waits for it, as it is stopped
 */
export async function keepCommitsFromDisk(
  client: pg.Client,
  more: Readonly<Record<string, string>> = {},
): Promise<() => void> {
  for (const [name, value] of Object.entries({ ...settings, ...more })) {
    await client.query(`ALTER SYSTEM SET ${name} = ${value}`);
  }
  await client.query('SELECT pg_reload_conf()');
  const writer = await stopAsleep(client);
  return () => {
    process.kill(writer, 'SIGKILL');
  };
}

/**
 * Stops the process that would take commits to the disk later: while it sleeps, as nobody can commit synchronously while it holds the
 * lock of the log.
 * @returns its process id
 */
async function stopAsleep(client: pg.Client): Promise<number> {
  const findAsleep = async (): Promise<number | undefined> => {
    const { rows } = await client.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter' AND wait_event = 'WalWriterMain'",
    );
    return rows[0]?.pid;
  };
  let stopped: number | undefined;
  await waitUntil('the writer of the log sleeps', async () => {
    const writer = await findAsleep();
    if (writer === undefined) return false;
    process.kill(writer, 'SIGSTOP');
    await waitUntil('it is stopped', async () =>
      (await readFile(`/proc/${writer}/stat`, 'latin1')).includes(') T'),
    );
    // The new settings may have woken it in between. What it does now, it does until it continues.
    if ((await findAsleep()) === writer) stopped = writer;
    else process.kill(writer, 'SIGCONT');
    return stopped !== undefined;
  });
  assert.ok(stopped !== undefined);
  return stopped;
}

/** For the tests that come after. */
export async function letCommitsToDisk(client: pg.Client): Promise<void> {
  await client.query('ALTER SYSTEM RESET ALL');
  await client.query('SELECT pg_reload_conf()');
}
