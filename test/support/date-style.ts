/** `npm test -- --datestyle German`: the servers of the tests give every session this DateStyle, and the tests' own clients read ISO. */

import pg from 'pg';

/** Set for the processes of the tests; absent for Postgres's default. */
export const dateStyleVariable = 'TEST_DATESTYLE';

/** For all users of a test server, in all databases. */
export async function setDateStyle(url: string): Promise<void> {
  const style = process.env[dateStyleVariable];
  if (style === undefined) return;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`ALTER ROLE ALL SET DateStyle = ${pg.escapeLiteral(style)}`);
  } finally {
    await client.end();
  }
}

/** A client of a test, which uses the ISO style regardless of the server's default. */
export function createClient(connectionString: string): pg.Client {
  return new pg.Client({ connectionString, options: '-c DateStyle=ISO,MDY' });
}
