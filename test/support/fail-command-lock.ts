/** A lock on the shared PostgreSQL, so that one test at a time sets the fail point of the shared MongoDB. */

import pg from 'pg';

/** No other lock of the tests, or of the tool, has this number. */
const lockKey = 2_266_513;

/** @returns a function that releases it; so does the end of the process */
export async function lockFailCommand(url: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('SELECT pg_advisory_lock($1)', [lockKey]);
  return () => client.end();
}
