/** How many more connections Postgres accepts, and its round-trip time. */

import type pg from 'pg';

/** Left free for other users of the database during a run. */
const connectionsLeftFree = 3;

/** The smallest of the free connections of server, database and user; at least 1, so that a run can try. */
export async function readConnectionsLeft(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ left: number }>(`
    SELECT least(
      current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int
        - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
      (SELECT CASE WHEN datconnlimit < 0 THEN NULL ELSE datconnlimit - numbackends END
         FROM pg_database JOIN pg_stat_database USING (datname) WHERE datname = current_database()),
      (SELECT CASE WHEN rolconnlimit < 0 THEN NULL
                   ELSE rolconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE usename = rolname) END
         FROM pg_roles WHERE rolname = current_user)
    )::int AS left`);
  return Math.max(1, (rows[0]?.left ?? 1) - connectionsLeftFree);
}

/** One round trip may include a wait for the processor. */
const roundTrips = 2;

/** The shortest of several round trips, in milliseconds. */
export async function measureRoundTrip(client: pg.Client): Promise<number> {
  let shortestMs = Infinity;
  for (let trip = 0; trip < roundTrips; trip++) {
    const sentAtMs = performance.now();
    await client.query('SELECT');
    shortestMs = Math.min(shortestMs, performance.now() - sentAtMs);
  }
  return shortestMs;
}
