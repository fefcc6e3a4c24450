/** Makes the embedded Postgres's database ready to be migrated into. */
import pg from 'pg';

export const databaseName = 'mongo2pg';

/** Address of the embedded server; holds the password, so it must not be printed. */
export function formatPostgresUrl(port: number, password: string): string {
  return `postgres://postgres:${password}@127.0.0.1:${port}/${databaseName}`;
}

export async function createDatabaseIfMissing(port: number, password: string): Promise<void> {
  await withClient(
    { host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' },
    async (client) => {
      const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [databaseName]);
      if (found.rows.length === 0) await client.query(`CREATE DATABASE ${databaseName}`);
    },
  );
}

/** Whether the server at the address takes this password. */
export async function isAnswering(url: string): Promise<boolean> {
  try {
    await withClient({ connectionString: url }, (client) => client.query('SELECT 1'));
    return true;
  } catch {
    return false;
  }
}

/** A server on the same machine that does not accept a connection within this time is unusable. */
const connectTimeoutMs = 10_000;

async function withClient<T>(config: pg.ClientConfig, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...config, connectionTimeoutMillis: connectTimeoutMs });
  // Without a listener a connection lost while idle would end the process; the next query reports it anyway.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
