/** The table that a benchmark loads, and how it is compared. */

import pg from 'pg';

export async function connectBench(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'mongo2pg bench' });
  await client.connect();
  return client;
}

/** The same for tables of equal rows, in whichever order they lie, and their columns (which follow a random sample). */
export async function readChecksum(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ checksum: string }>(
    `SELECT count(*) || ' rows, sum of hashes ' || sum(hashtextextended(to_jsonb(u)::text, 0)) AS checksum FROM users u`,
  );
  return rows[0]?.checksum ?? '';
}
