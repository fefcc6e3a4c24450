/** Sandboxes that the tests of a file reuse: creating and dropping a database takes longer than most tests. */

import { after } from 'node:test';
import { createSandbox, type Sandbox } from './servers.ts';

const free: Sandbox[] = [];

after(async () => {
  await Promise.all(free.map((sandbox) => sandbox.remove()));
});

/** A free one, reset. */
export async function takeSandbox(): Promise<Sandbox> {
  return free.pop() ?? (await createSandbox());
}

/** Releases it for the next test, if it can be reset. */
export async function giveSandboxBack(sandbox: Sandbox): Promise<void> {
  if (await clear(sandbox)) free.push(sandbox);
  else await sandbox.remove();
}

/** @returns false if something is left that may affect another test */
async function clear({ db, client }: Sandbox): Promise<boolean> {
  await db.dropDatabase();
  await client.query('ROLLBACK');
  await client.query('DISCARD ALL');
  await client.query(
    `DROP SCHEMA IF EXISTS mongo2pg, mongo2pg_queue, public CASCADE;
     CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC`,
  );
  const { rows } = await client.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
      UNION ALL
     SELECT FROM pg_namespace WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg\\_%'
      UNION ALL
     SELECT FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()`,
  );
  return rows.length === 0;
}
