import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { ExitCode } from '../../../src/common/errors.ts';
import type { DryRunEvent } from '../../../src/observe/dry-run-event.ts';
import { lockTable, unlockTable } from '../../../src/postgres/ledger/run-lock.ts';
import { runCli, type CliResult } from '../../support/cli.ts';
import { waitUntil } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { createSandbox, postgresUrl, type Sandbox } from '../../support/servers.ts';

type Env = Readonly<Record<string, string>>;

const count = 1_000;

async function fill(sandbox: Sandbox, ...names: string[]): Promise<void> {
  for (const name of names) {
    const documents = Array.from({ length: count }, (_, index) => ({
      _id: index as never,
      text: `text ${index}`,
    }));
    await sandbox.db.collection(name).insertMany(documents);
  }
}

/** In a separate session, whose end updates the counts of `takeSnapshot`. */
async function execute(sandbox: Sandbox, statements: string): Promise<void> {
  const client = new pg.Client({ connectionString: sandbox.postgresUrl });
  await client.connect();
  await client.query(statements);
  await client.end();
}

function run(sandbox: Sandbox, env: Env, ...args: string[]): Promise<CliResult> {
  return runCli(args, { ...sandbox.env, MONGO_COLLECTION: 'things', CLUSTER_SIZE: '1', ...env });
}

/** The state of both sides, including the files of Postgres's tables and how many rows were ever written. */
async function takeSnapshot({ client, db }: Sandbox): Promise<unknown> {
  // A session reports its counts when it ends; that of a killed process takes a while to notice.
  await waitUntil('all other sessions have ended', async () => {
    const { rowCount } = await client.query(
      `SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`,
    );
    return rowCount === 0;
  });
  const { rows: relations } = await client.query(
    `SELECT n.nspname, c.relname, c.relkind, c.relfilenode FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 2`,
  );
  const { rows: schemas } = await client.query('SELECT nspname FROM pg_namespace ORDER BY 1');
  const { rows: written } = await client.query(
    `SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY 1, 2`,
  );
  const names = (await db.listCollections().toArray()).map(({ name }) => name).sort();
  const counts = await Promise.all(names.map((name) => db.collection(name).countDocuments()));
  return { relations, schemas, written, names, counts };
}

interface Prophecy {
  readonly code: number;
  /** Expected in the output of the dry run. */
  readonly says: RegExp;
  /** Expected in the output of the run; the same if absent. */
  readonly happens?: RegExp;
}

/** A dry run, which writes nothing, and then a start, which does what it predicted. */
async function assertForetold(
  sandbox: Sandbox,
  { code, says, happens = says }: Prophecy,
  env: Env,
  ...args: string[]
): Promise<{ reported: CliResult; real: CliResult }> {
  const snapshot = await takeSnapshot(sandbox);
  const reported = await run(sandbox, env, '--dry-run', ...args);
  assert.match(reported.stdout + reported.stderr, says);
  assert.equal(reported.code, code, reported.stdout + reported.stderr);
  assert.deepEqual(await takeSnapshot(sandbox), snapshot);
  const real = await run(sandbox, env, ...args);
  assert.equal(real.code, code, real.stderr);
  assert.match(real.stdout + real.stderr, happens);
  return { reported, real };
}

describe('npm start -- --dry-run', () => {
  let sandbox: Sandbox;
  let estimate = 0;
  before(async () => {
    sandbox = await createSandbox();
    await fill(sandbox, 'things', 'others');
    await sandbox.db.collection('things').createIndexes([
      { key: { text: 1 }, name: 'by_text' },
      { key: { text: 'text' }, name: 'words' },
    ]);
  });
  after(async () => {
    await sandbox.remove();
  });

  it('reports what a start would do, and writes nothing to either side', async () => {
    const foretold = { code: ExitCode.ok, says: /\.things: would begin a new run/, happens: /copied 1,000/ };
    const { reported } = await assertForetold(sandbox, foretold, {});
    assert.match(reported.stdout, /PostgreSQL \d+\.\d+ at .*: UTF8, \d+ connections left/);
    assert.match(reported.stdout, /about 1,000 documents; about [\d.]+ MB in PostgreSQL/);
    assert.match(reported.stdout, /CREATE TABLE "public"\."things" \(\n {2}"_id" integer NOT NULL,/);
    assert.match(
      reported.stdout,
      /CREATE INDEX IF NOT EXISTS "things_by_text" ON "public"\."things" \("text"\);/,
    );
    assert.match(reported.stdout, /index words is not carried over: a text index/);
    await sandbox.client.query('DROP TABLE things');
  });

  it('prints one event a line as JSON', async () => {
    const { stdout } = await run(sandbox, {}, '--dry-run', '--json');
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as DryRunEvent);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['dry-run-server', 'dry-run-collection'],
    );
    for (const event of events) if (event.kind === 'dry-run-collection') estimate = event.estimatedBytes ?? 0;
  });

  it('reports an unfinished run, a finished one, and what --restart would remove', async (t) => {
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'kill' });
    assert.equal((await run(sandbox, failpoints.env)).signal, 'SIGKILL');
    const says = /(would continue|continuing) run 2 /;
    await assertForetold(sandbox, { code: ExitCode.ok, says }, {});
    await assertForetold(sandbox, { code: ExitCode.ok, says: /is copied already: run 2 .*: 1,000 rows/ }, {});
    const otherwise = { JSON_STYLE: 'plain' };
    const refused =
      /already has the 1,000 rows of run 2 .*started with other settings: JSON_STYLE was not set/;
    await assertForetold(sandbox, { code: ExitCode.target, says: refused }, otherwise);
    const { rows } = await sandbox.client.query<{ bytes: number }>(
      `SELECT (pg_relation_size('things') + pg_relation_size('things_pkey'))::int AS bytes`,
    );
    const bytes = rows[0]?.bytes ?? 0;
    assert.ok(Math.abs(estimate / bytes - 1) < 0.2, `${estimate} bytes were foretold of ${bytes}`);
    const removed = /(remove|removed) the table "public"\."things" \(run 2/;
    await assertForetold(sandbox, { code: ExitCode.ok, says: removed }, {}, '--restart');
  });

  it('reports that another run holds the table, and does not lock out a run', async () => {
    const table = { schema: 'public', table: 'things' };
    await lockTable(sandbox.client, table);
    try {
      const snapshot = await takeSnapshot(sandbox);
      // Both wait a while for the lock.
      const [reported, real] = await Promise.all([
        run(sandbox, {}, '--dry-run', '--restart'),
        run(sandbox, {}, '--restart'),
      ]);
      for (const { code, stderr } of [reported, real]) {
        assert.equal(code, ExitCode.usage, stderr);
        assert.match(stderr, /another run is loading the table "public"\."things" \(from /);
      }
      assert.deepEqual(await takeSnapshot(sandbox), snapshot);
    } finally {
      await unlockTable(sandbox.client, table);
    }
  });

  it('inspects each of several collections: an empty one is skipped, one that a start refuses decides the exit code', async (t) => {
    await sandbox.db.createCollection('empty');
    await execute(sandbox, 'DROP TABLE things; CREATE TABLE others AS SELECT 1 AS x');
    const several = { MONGO_COLLECTION: '*' };
    const says = /\.others.*: the table "public"\."others" already exists and has rows/;
    const { reported } = await assertForetold(sandbox, { code: ExitCode.target, says }, several);
    assert.match(reported.stdout, /\.things: would begin a new run/);
    assert.match(reported.stdout, /\.empty: skipped: the collection \w+\.empty is empty/);

    await sandbox.client.query('DROP TABLE things, others');
    // No connections for two collections in parallel: one is finished before the other begins.
    await sandbox.client.query(`ALTER DATABASE ${sandbox.mongoDb} CONNECTION LIMIT 6`);
    t.after(() => sandbox.client.query(`ALTER DATABASE ${sandbox.mongoDb} CONNECTION LIMIT -1`));
    const failpoints = await setFailpoints(t, { 'primary-before-finish': 'kill@2' });
    const killed = await run(sandbox, { ...several, ...failpoints.env }, '--if-exists', 'drop');
    assert.equal(killed.signal, 'SIGKILL');
    // The job shows that the first is done, so a start does not drop it again.
    const continued = await assertForetold(
      sandbox,
      { code: ExitCode.ok, says: /\.\w+:? is copied already: run/ },
      several,
      '--if-exists',
      'drop',
    );
    assert.match(continued.reported.stdout, /would continue run \d+/);
    assert.match(continued.reported.stdout, /is copied already: run \d+ \(.*, use --restart\n(?! {2}about)/);
    assert.match(continued.real.stderr, /continuing run \d+/);
    // The job is finished now, so that the same starts a new one.
    const restarted = { code: ExitCode.ok, says: /(remove|removed) the table "public"\."things"/ };
    await assertForetold(sandbox, restarted, several, '--if-exists', 'drop');
  });
});

describe('npm start -- --dry-run, of the privileges of the user', () => {
  let sandbox: Sandbox;
  let guest: string;
  let asGuest: Env;
  before(async () => {
    sandbox = await createSandbox();
    await fill(sandbox, 'things');
    await sandbox.db.collection('things').createIndexes([{ key: { text: 1 }, name: 'by_text' }]);
    guest = `${sandbox.mongoDb}_guest`;
    await prepare(`CREATE ROLE guest LOGIN PASSWORD 'guest'`);
    const url = new URL(sandbox.postgresUrl);
    url.username = guest;
    url.password = 'guest';
    asGuest = { POSTGRES_URL: url.href };
  });
  after(async () => {
    await prepare('DROP OWNED BY guest CASCADE; DROP ROLE guest');
    await sandbox.remove();
  });

  async function prepare(statements: string): Promise<void> {
    await execute(sandbox, statements.replaceAll(/\bguest\b(?!')/g, guest));
  }

  /** `says` for a collection that is refused; null for one that is copied. */
  interface Case {
    readonly statements: string;
    readonly says: RegExp | null;
  }

  /** One start that copies a collection for each case, into a schema of their own; T is the case's table in it. */
  async function assertForetoldForEach(
    schema: string,
    cases: Readonly<Record<string, Case>>,
    ...args: string[]
  ): Promise<void> {
    await prepare(`CREATE SCHEMA ${schema}; GRANT USAGE, CREATE ON SCHEMA ${schema} TO guest`);
    for (const [name, { statements }] of Object.entries(cases)) {
      await sandbox.db.collection(name).insertOne({ _id: 1 as never, text: 'one' });
      await prepare(statements.replaceAll(/\bT\b/g, `${schema}.${name}`));
    }
    const env = { ...asGuest, POSTGRES_SCHEMA: schema, MONGO_COLLECTION: Object.keys(cases).join(',') };
    const foretold = { code: ExitCode.target, says: /may not|cannot/ };
    const { reported, real } = await assertForetold(sandbox, foretold, env, ...args);
    for (const [name, { says }] of Object.entries(cases)) {
      const place = `${sandbox.mongoDb}.${name}: `;
      const find = (text: string, start: string) => text.split('\n').find((line) => line.startsWith(start));
      const before = find(reported.stdout, place);
      const after = find(real.stderr, `error: ${place}`);
      if (says === null) {
        assert.equal(before, `${place}would begin a new run`);
        assert.equal(after, undefined);
      } else {
        assert.match(before ?? '', says);
        assert.equal(after, `error: ${before ?? ''}`);
      }
    }
  }

  const table = 'CREATE TABLE T (_id integer, text text, _extra jsonb);';
  const filled = `${table} INSERT INTO T VALUES (-1);`;

  it('all missing privileges are named', async () => {
    await prepare(`REVOKE TEMPORARY ON DATABASE ${sandbox.mongoDb} FROM PUBLIC`);
    const says =
      /may not create the ledger's schema in the database .*; nor create the schema elsewhere in the database/;
    const env = { ...asGuest, POSTGRES_SCHEMA: 'elsewhere' };
    await assertForetold(sandbox, { code: ExitCode.target, says }, env);
  });

  it('with existing schemas no privilege on the database is needed, except for comparing', async () => {
    await prepare('CREATE SCHEMA mongo2pg AUTHORIZATION guest; CREATE SCHEMA here AUTHORIZATION guest');
    const env = { ...asGuest, POSTGRES_SCHEMA: 'here' };
    const refused = { code: ExitCode.target, says: /may not create temporary tables/ };
    await assertForetold(sandbox, refused, env, '--verify');
    const says = /may not create temporary tables, .*: the first row that Postgres rejects ends the run/;
    await assertForetold(sandbox, { code: ExitCode.ok, says }, env);
    await prepare(`GRANT TEMPORARY ON DATABASE ${sandbox.mongoDb} TO PUBLIC`);
  });

  it('runs in a read-only transaction', async () => {
    // Reading the table calls a function that reports the mode.
    await prepare(`
      CREATE SCHEMA watched; GRANT USAGE ON SCHEMA watched TO guest;
      CREATE TABLE watched.things (_id integer, text text); INSERT INTO watched.things VALUES (-1);
      CREATE FUNCTION watched.report() RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'read-only: %', current_setting('transaction_read_only'); END $$;
      CREATE POLICY watch ON watched.things USING (watched.report());
      ALTER TABLE watched.things ENABLE ROW LEVEL SECURITY; GRANT SELECT, INSERT ON watched.things TO guest`);
    const says = /PostgreSQL at .*: read-only: on/;
    const foretold = { code: ExitCode.target, says, happens: /PostgreSQL at .*: read-only: off/ };
    await assertForetold(sandbox, foretold, { ...asGuest, POSTGRES_SCHEMA: 'watched' });
  });

  it('for a table of another owner, privileges on its columns are sufficient', async () => {
    await assertForetoldForEach('kept', {
      all_columns: {
        statements: `${table} GRANT INSERT (_id, text, _extra), SELECT (_id) ON T TO guest`,
        says: null,
      },
      not_all_columns: {
        statements: `${table} GRANT INSERT (_id, text), SELECT ON T TO guest`,
        says: /may not insert into the table kept\.not_all_columns \(GRANT INSERT/,
      },
    });
  });

  it('--if-exists truncate needs the privilege TRUNCATE, and no foreign key', async () => {
    const cases = {
      granted: {
        statements: `${filled} GRANT INSERT, SELECT, TRUNCATE ON T TO guest`,
        says: null,
      },
      not_granted: {
        statements: `${filled} GRANT INSERT, SELECT ON T TO guest`,
        says: /may not empty the table emptied\.not_granted \(GRANT TRUNCATE/,
      },
      referred_to: {
        statements: `${filled} GRANT ALL ON T TO guest; ALTER TABLE T ADD PRIMARY KEY (_id);
          CREATE TABLE emptied.notes (thing integer REFERENCES T)`,
        says: /cannot be emptied: on it depends constraint .* on table emptied\.notes/,
      },
    };
    await assertForetoldForEach('emptied', cases, '--if-exists', 'truncate');
  });

  it('--if-exists drop needs ownership of the table, and no dependent objects', async () => {
    const owned = `${filled} ALTER TABLE T OWNER TO guest;`;
    const cases = {
      not_owned: {
        statements: `${filled} GRANT ALL ON T TO guest`,
        says: /may not drop the table dropped\.not_owned, of which the user is not the owner/,
      },
      // Objects that belong to the table are dropped with it.
      with_parts: {
        statements: `${owned} ALTER TABLE T ADD PRIMARY KEY (_id), ADD number serial, ADD next integer REFERENCES T;
          CREATE INDEX ON T (lower(text)) WHERE number > 0; CREATE STATISTICS dropped.both ON _id, text FROM T;
          CREATE TRIGGER same BEFORE UPDATE ON T FOR EACH ROW WHEN (OLD.text <> NEW.text)
            EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
        says: null,
      },
      with_view: {
        statements: `${owned} CREATE VIEW dropped.seen AS SELECT text FROM T`,
        says: /cannot be dropped: on it depends .*view dropped\.seen/,
      },
      with_key: {
        statements: `${owned} ALTER TABLE T ADD PRIMARY KEY (_id);
          CREATE TABLE dropped.notes (thing integer REFERENCES T)`,
        says: /cannot be dropped: on it depends constraint .* on table dropped\.notes/,
      },
      with_its_type: {
        statements: `${owned} CREATE FUNCTION dropped.take(T) RETURNS integer LANGUAGE sql RETURN 1`,
        says: /cannot be dropped: on it depends function dropped\.take/,
      },
      a_view: {
        statements: 'CREATE VIEW T AS SELECT 1 AS _id; ALTER VIEW T OWNER TO guest',
        says: /"dropped"\."a_view" cannot be dropped: it is not an ordinary table/,
      },
    };
    await assertForetoldForEach('dropped', cases, '--if-exists', 'drop');
  });

  it('a run of another user is resumed by one who may build its key', async (t) => {
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'kill' });
    await prepare('CREATE SCHEMA built');
    const env = { ...asGuest, POSTGRES_SCHEMA: 'built' };
    const killed = await run(sandbox, { POSTGRES_SCHEMA: 'built', ...failpoints.env });
    assert.equal(killed.signal, 'SIGKILL');
    await prepare(
      'GRANT USAGE, CREATE ON SCHEMA built TO guest; GRANT INSERT, SELECT ON built.things TO guest',
    );
    const says =
      /may not build the key and the indexes of the table built\.things, of which the user is not the owner/;
    await assertForetold(sandbox, { code: ExitCode.target, says }, env);
    await prepare('ALTER TABLE built.things OWNER TO guest');
    const continued = { code: ExitCode.ok, says: /(would continue|continuing) run/ };
    await assertForetold(sandbox, continued, env);
    // Once they are built, anybody may own the table.
    await prepare(
      'ALTER TABLE built.things OWNER TO CURRENT_USER; GRANT INSERT, SELECT, TRUNCATE ON built.things TO guest',
    );
    const restarted = { code: ExitCode.ok, says: /(remove|removed) all rows of "built"\."things"/ };
    await assertForetold(sandbox, restarted, env, '--if-exists', 'truncate');
  });

  it('a ledger that may not be written', async () => {
    await prepare(
      `REASSIGN OWNED BY guest TO CURRENT_USER; CREATE SCHEMA reported; GRANT USAGE, CREATE ON SCHEMA reported TO guest;
       GRANT USAGE ON SCHEMA mongo2pg TO guest; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA mongo2pg TO guest`,
    );
    const env = { ...asGuest, POSTGRES_SCHEMA: 'reported' };
    const says = /may not write to the ledger \(GRANT USAGE ON SCHEMA mongo2pg/;
    await assertForetold(sandbox, { code: ExitCode.target, says }, env);
    await prepare('REVOKE USAGE ON SCHEMA mongo2pg FROM guest');
    const unread = /permission denied for schema mongo2pg — grant user "\w+_guest" that right/;
    await assertForetold(sandbox, { code: ExitCode.target, says: unread }, env);
    await prepare(
      'GRANT USAGE ON SCHEMA mongo2pg TO guest; GRANT UPDATE ON ALL TABLES IN SCHEMA mongo2pg TO guest',
    );
    await assertForetold(sandbox, { code: ExitCode.ok, says: /./ }, env);
  });

  it('a user whose transactions are read-only, and a standby', async () => {
    await prepare('ALTER ROLE guest SET default_transaction_read_only = on');
    const says = /transactions are read-only here .*RESET default_transaction_read_only/;
    await assertForetold(sandbox, { code: ExitCode.target, says }, asGuest);
    // Not a real standby, which would need a second server: Postgres only reports that it is one, in this database.
    await prepare(
      `ALTER FUNCTION pg_catalog.pg_is_in_recovery() RENAME TO pg_is_in_recovery_really;
       CREATE FUNCTION pg_catalog.pg_is_in_recovery() RETURNS boolean LANGUAGE sql RETURN true`,
    );
    const standby = /is a standby, which can only be read — give POSTGRES_URL the primary/;
    await assertForetold(sandbox, { code: ExitCode.target, says: standby }, asGuest);
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
