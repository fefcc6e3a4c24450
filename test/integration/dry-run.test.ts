import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { ExitCode } from '../../src/errors.ts';
import type { DryRunEvent } from '../../src/events.ts';
import { runCli } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { createSandbox, postgresUrl, type Sandbox } from '../support/servers.ts';

describe('npm start -- --dry-run', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    for (const name of ['things', 'others']) {
      const documents = Array.from({ length: 1_000 }, (_, index) => ({
        _id: index as never,
        text: `text ${index}`,
      }));
      await sandbox.db.collection(name).insertMany(documents);
    }
  });
  after(async () => {
    await sandbox.remove();
  });

  function run(env: Record<string, string> = {}, ...args: string[]) {
    const base = { ...sandbox.env, MONGO_COLLECTION: 'things', CLUSTER_SIZE: '1' };
    return runCli(args, { ...base, ...env });
  }

  /** All that there is on both sides, down to the files of Postgres's tables and how many rows were ever written. */
  async function takeSnapshot(): Promise<unknown> {
    const { rows: relations } = await sandbox.client.query(
      `SELECT n.nspname, c.relname, c.relkind, c.relfilenode FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2`,
    );
    const { rows: schemas } = await sandbox.client.query('SELECT nspname FROM pg_namespace ORDER BY 1');
    const { rows: written } = await sandbox.client.query(
      `SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY 1`,
    );
    const names = (await sandbox.db.listCollections().toArray()).map(({ name }) => name).sort();
    const counts = await Promise.all(names.map((name) => sandbox.db.collection(name).countDocuments()));
    return { relations, schemas, written, names, counts };
  }

  it('says what a start would do, and writes nothing to either side', async () => {
    const snapshot = await takeSnapshot();
    const { code, stdout, stderr } = await run({}, '--dry-run');
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /PostgreSQL \d+ at .*: UTF8, \d+ connections left/);
    assert.match(stdout, /\.things: would begin a new run/);
    assert.match(stdout, /about 1,000 documents; about [\d.]+ MB in PostgreSQL/);
    assert.match(stdout, /CREATE TABLE "public"\."things" \(\n {2}"_id" integer NOT NULL,/);
    assert.deepEqual(await takeSnapshot(), snapshot);
  });

  it('is kept from writing by Postgres itself', async () => {
    const { stdout } = await run({}, '--dry-run', '--json');
    const kinds = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as DryRunEvent).kind);
    assert.deepEqual(kinds, ['dry-run-server', 'dry-run-collection']);
    const client = new pg.Client({ connectionString: sandbox.postgresUrl });
    await client.connect();
    await client.query('SET default_transaction_read_only = on');
    await assert.rejects(client.query('CREATE TABLE x ()'), /read-only transaction/);
    await client.end();
  });

  it('tells of an unfinished run, of a finished one, and of what --restart would remove', async (t) => {
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'kill' });
    assert.equal((await run(failpoints.env)).signal, 'SIGKILL');
    assert.match((await run({}, '--dry-run')).stdout, /would continue run 1 /);
    assert.equal((await run()).code, ExitCode.ok);
    const snapshot = await takeSnapshot();
    const refused = await run({}, '--dry-run');
    assert.equal(refused.code, ExitCode.target);
    assert.match(refused.stderr, /already has the 1,000 rows of run 1/);
    const restarted = await run({}, '--dry-run', '--restart');
    assert.equal(restarted.code, ExitCode.ok);
    assert.match(restarted.stdout, /would begin anew, and remove the table "public"\."things" \(run 1/);
    assert.deepEqual(await takeSnapshot(), snapshot);
  });

  it('looks at each of several collections, and fails with what the first would fail with', async () => {
    await sandbox.client.query('CREATE TABLE others (x integer); INSERT INTO others VALUES (1)');
    const { code, stdout } = await run({ MONGO_COLLECTION: '*' }, '--dry-run');
    assert.equal(code, ExitCode.target);
    assert.match(stdout, /\.others: the table "public"\."others" already exists and has rows/);
    assert.match(stdout, /\.things: is copied already/);
  });

  it('names the rights that are missing', async () => {
    const role = `${sandbox.mongoDb}_guest`;
    await sandbox.client.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'guest'; REVOKE TEMPORARY ON DATABASE ${sandbox.mongoDb} FROM PUBLIC`,
    );
    try {
      const url = new URL(sandbox.postgresUrl);
      url.username = role;
      url.password = 'guest';
      const { code, stderr } = await run(
        { POSTGRES_URL: url.href, MONGO_COLLECTION: 'others', POSTGRES_SCHEMA: 'elsewhere' },
        '--dry-run',
      );
      assert.equal(code, ExitCode.target);
      assert.match(stderr, /may not create schemas in the database .*; nor make temporary tables/);
    } finally {
      await sandbox.client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

describe('a database that is not UTF8', () => {
  it('is refused before anything is done, by a start as by a dry run', async () => {
    const sandbox = await createSandbox();
    const name = `${sandbox.mongoDb}_latin1`;
    const admin = new pg.Client({ connectionString: postgresUrl });
    await admin.connect();
    try {
      await sandbox.db.collection('things').insertOne({ _id: 1 as never });
      await admin.query(
        `CREATE DATABASE ${name} ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'`,
      );
      const url = new URL(postgresUrl);
      url.pathname = name;
      for (const args of [['--dry-run'], []]) {
        const { code, stderr } = await runCli(args, {
          ...sandbox.env,
          MONGO_COLLECTION: 'things',
          POSTGRES_URL: url.href,
        });
        assert.equal(code, ExitCode.target);
        assert.match(stderr, /has the encoding LATIN1/);
      }
    } finally {
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
      await sandbox.remove();
    }
  });
});
