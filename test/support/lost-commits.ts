/** Asynchronous commits that a crash loses for certain: on a private PostgreSQL, nothing takes them to the disk by itself. */

import assert from 'node:assert/strict';
import type pg from 'pg';

/** Whatever a vacuum commits would take along what was before it, and a page that is written needs its log before. */
const settings = { autovacuum: 'off', bgwriter_lru_maxpages: '0' } as const;

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
  const { rows } = await client.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'",
  );
  const [writer] = rows;
  assert.ok(writer !== undefined, 'who takes commits to the disk later');
  process.kill(writer.pid, 'SIGSTOP');
  return () => {
    process.kill(writer.pid, 'SIGKILL');
  };
}

/** For the tests that come after. */
export async function letCommitsToDisk(client: pg.Client): Promise<void> {
  await client.query('ALTER SYSTEM RESET ALL');
  await client.query('SELECT pg_reload_conf()');
}
