/** `npm test -- --datestyle German`: the servers of the tests give every session this DateStyle, and the tests read their own way. */

import pg from 'pg';

/** Set for the processes of the tests; absent where Postgres's default is left alone. */
export const dateStyleVariable = 'TEST_DATESTYLE';

/** For all users of a server of the tests' own, in all databases. */
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

/** A client of a test's, which reads what it reads in the ISO style whatever the server says. */
export function createClient(connectionString: string): pg.Client {
  return new pg.Client({ connectionString, options: '-c DateStyle=ISO,MDY' });
}
