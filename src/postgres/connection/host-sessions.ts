/** Sessions of several hosts: the application name contains the host's id, so that other hosts can end the session. */

import type pg from 'pg';

/** The host's id comes last. */
export function nameOfHost(applicationName: string, hostId: string): string {
  return `${applicationName} of host ${hostId}`;
}

/**
 * Ends all sessions of a host. If its process hangs or is cut off, they would keep their transactions and locks.
 * @returns how many
 * there were
 */
export async function endSessionsOfHost(client: pg.Client, hostId: string): Promise<number> {
  const { rowCount } = await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND application_name LIKE 'mongo2pg %' AND right(application_name, length($1)) = $1`,
    [nameOfHost('', hostId)],
  );
  return rowCount ?? 0;
}

/** How many sessions the workers of all hosts have open. */
export async function countWorkerSessions(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE $1`,
    [nameOfHost('mongo2pg worker', '%')],
  );
  return rows[0]?.count ?? 0;
}
