import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import pg from 'pg';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('npm run verify, of existing tables', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    await sandbox.client.query(
      "CREATE COLLATION careless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    );
  });
  after(async () => {
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query('DROP TABLE IF EXISTS things, others; DROP SCHEMA IF EXISTS mongo2pg CASCADE');
    for (const name of ['things', 'others']) await sandbox.db.collection(name).drop();
  });

  async function insert(documents: Document[], collection = 'things'): Promise<void> {
    await sandbox.db.collection(collection).insertMany(documents);
  }

  function run(args: readonly string[], env: Record<string, string> = {}) {
    return runCli(args, { ...sandbox.env, MONGO_COLLECTION: 'things', CLUSTER_SIZE: '2', ...env });
  }

  it('distinguishes texts that are equal by a collation, also in a key', async () => {
    await sandbox.client.query(
      'CREATE TABLE things (_id text COLLATE careless PRIMARY KEY, name text COLLATE careless, tags text[] COLLATE careless)',
    );
    // Two have the same key for Postgres: one is a dead letter, and counted as such.
    await insert([{ _id: 'A', name: 'Ada', tags: ['x'] }, { _id: 'a' }, { _id: 'b' }]);
    assert.equal((await run([])).code, ExitCode.deadLetters);
    const { code, stdout } = await run(['verify']);
    assert.equal(code, ExitCode.ok, stdout);
    await sandbox.client.query(
      `UPDATE things SET name = 'ADA', tags = '{X}' WHERE _id = 'A'; UPDATE things SET _id = 'B' WHERE _id = 'b'`,
    );
    const changed = await run(['verify']);
    assert.equal(changed.code, ExitCode.different);
    assert.match(changed.stdout, /column "name": "Ada" in the document, "ADA" in PostgreSQL/);
    assert.match(changed.stdout, /column "tags": "{x}" in the document, "{X}" in PostgreSQL/);
    assert.match(changed.stdout, /missing: no row for _id "b"\n/);
    assert.match(changed.stdout, /extra: no document for the row with the key B\n/);
  });

  it('recognises dead letters with values that do not fit their types, or an _id that cannot be written', async () => {
    await sandbox.client.query('CREATE TABLE things (_id text PRIMARY KEY, home inet, span int4range)');
    const refused = Array.from({ length: 60 }, (_, index) => ({ _id: `refused ${index}`, home: 'nowhere' }));
    const loaded = Array.from({ length: 60 }, (_, index) => ({ _id: `loaded ${index}`, home: '::1' }));
    await insert([...refused, ...loaded, { _id: 'N\0UL' }, { _id: 'no range', span: '[9,1)' }]);
    assert.equal((await run([])).code, ExitCode.deadLetters);
    const { code, stdout, stderr } = await run(['verify']);
    assert.equal(code, ExitCode.ok, stdout);
    assert.match(stdout, /compared 122 = equal 60 \+ dead-lettered 62 \+ missing 0/);
    assert.doesNotMatch(stderr, /a replacement is started/, 'no worker has died of it');
    await sandbox.client.query(
      `UPDATE things SET home = '::2' WHERE _id = 'loaded 7'; INSERT INTO things VALUES ('refused 1')`,
    );
    await insert([{ _id: 'late\0' }, { _id: 'later', home: 'nowhere' }]);
    const changed = await run(['verify']);
    assert.equal(changed.code, ExitCode.different);
    assert.match(changed.stdout, /equal 59 \+ dead-lettered 62 \+ missing 2 \+ different 1 /);
    assert.match(changed.stdout, /different: _id "loaded 7", column "home"/);
    assert.match(changed.stdout, /missing: no row for _id BSON [0-9a-f]+6c61746500/);
    assert.match(changed.stdout, /missing: no row for _id "later"/);
    assert.match(changed.stdout, /extra: no document for the row with the key refused 1\n/);
  });

  it('counts surplus rows among those of others, and does not name wrong ones', async () => {
    await sandbox.client.query(
      "CREATE TABLE things (_id int PRIMARY KEY, name text); INSERT INTO things VALUES (-1, 'mine'), (-2, 'mine')",
    );
    await insert([{ _id: 1, name: 'one' }]);
    assert.equal((await run(['--if-exists', 'append'])).code, ExitCode.ok);
    assert.equal((await run(['verify'])).code, ExitCode.ok);
    await sandbox.client.query("INSERT INTO things VALUES (5, 'extra')");
    const more = await run(['verify']);
    assert.equal(more.code, ExitCode.different);
    assert.match(more.stdout, /4 rows \(2 of them not of this run\), 1 of them too many\n {2}… and 1 more\n/);
    assert.match(more.stderr, /which rows are surplus cannot be determined/);
    await sandbox.client.query('DELETE FROM things WHERE _id IN (5, -1)');
    const fewer = await run(['verify']);
    assert.equal(fewer.code, ExitCode.different);
    assert.match(fewer.stdout, /rows are missing/);
  });

  it('compares at least one page of a sample', async () => {
    await insert([{ _id: 1, name: 'one' }]);
    assert.equal((await run([])).code, ExitCode.ok);
    await sandbox.client.query("UPDATE things SET name = 'two'");
    const { code, stdout } = await run(['verify', '--sample', '0.0001%']);
    assert.equal(code, ExitCode.different);
    assert.match(stdout, /compared 1 of 1 \(a sample\) = equal 0 .* different 1 /);
  });

  it('shows where long values differ', async () => {
    await insert([{ _id: 1, text: `${'x'.repeat(3_000)} old` }]);
    assert.equal((await run([])).code, ExitCode.ok);
    await sandbox.client.query("UPDATE things SET text = replace(text, 'old', 'new')");
    assert.match((await run(['verify'])).stdout, /"…x{39} old" in the document, "…x{39} new" in PostgreSQL/);
  });

  it('needs few privileges, names missing ones, and lists surplus rows only with one more', async () => {
    await insert([{ _id: 1, name: 'one' }]);
    assert.equal((await run([])).code, ExitCode.ok);
    await sandbox.client.query('INSERT INTO things (_id) VALUES (2)');
    const role = pg.escapeIdentifier(`${sandbox.mongoDb}_reader`);
    const database = pg.escapeIdentifier(sandbox.mongoDb);
    await sandbox.client.query(
      `CREATE ROLE ${role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA mongo2pg TO ${role};
       GRANT SELECT ON ALL TABLES IN SCHEMA mongo2pg TO ${role}; REVOKE TEMPORARY ON DATABASE ${database} FROM PUBLIC`,
    );
    try {
      const url = new URL(sandbox.postgresUrl);
      url.username = `${sandbox.mongoDb}_reader`;
      url.password = 'reader';
      const asReader = () => run(['verify'], { POSTGRES_URL: url.href });
      const refused = await asReader();
      assert.equal(refused.code, ExitCode.target);
      assert.match(
        refused.stderr,
        /error: the user may not read public\.things \(_id, name.*GRANT SELECT .*; nor create temporary tables/,
      );
      await sandbox.client.query(
        `GRANT TEMPORARY ON DATABASE ${database} TO ${role}; GRANT SELECT ON things TO ${role}`,
      );
      const counted = await asReader();
      assert.equal(counted.code, ExitCode.different, counted.stderr);
      assert.match(counted.stderr, /rows too many are only counted: to name them, the user needs CREATE/);
      assert.match(counted.stdout, /equal 1 .*\n {2}2 rows, 1 of them too many/);
      // Another verification of the same run is active.
      await sandbox.client.query("SELECT pg_advisory_lock(hashtextextended('mongo2pg.verify_keys_1', 0))");
      const second = await run(['verify']);
      assert.match(second.stderr, /surplus rows are only counted: another verification is identifying them/);
      assert.match(second.stdout, /1 of them too many\n {2}… and 1 more\n/);
      await sandbox.client.query('SELECT pg_advisory_unlock_all()');
      await sandbox.client.query(`ALTER ROLE ${role} SET default_transaction_read_only = on`);
      const readOnly = await asReader();
      assert.equal(readOnly.code, ExitCode.target);
      assert.match(readOnly.stderr, /transactions are read-only here/);
    } finally {
      await sandbox.client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  it('names the column that was dropped from the table', async () => {
    await insert([{ _id: 1, name: 'one' }]);
    assert.equal((await run([])).code, ExitCode.ok);
    await sandbox.client.query('ALTER TABLE things DROP COLUMN name');
    const { code, stderr } = await run(['verify']);
    assert.equal(code, ExitCode.target);
    assert.match(stderr, /altered since it was copied: public\.things has no column name/);
  });

  it('compares the others if one of several cannot be compared', async () => {
    await insert([{ _id: 1 }]);
    await insert([{ _id: 1 }, { _id: 2 }], 'others');
    const both = { MONGO_COLLECTION: 'things,others' };
    await sandbox.client.query('CREATE TABLE things AS SELECT 7 AS other');
    const started = await run(['--verify'], both);
    assert.equal(started.code, ExitCode.target);
    assert.match(started.stdout, /others and "public"\."others" are equal/, 'what could be copied');
    await sandbox.client.query('DROP TABLE things');
    // Only one is left to copy, and all are compared.
    const again = await run(['--verify'], both);
    assert.equal(again.code, ExitCode.ok, again.stderr);
    assert.match(
      again.stdout,
      /others and "public"\."others" are equal[^]*things and "public"\."things" are equal/,
    );
    await sandbox.client.query('DROP TABLE others');
    const partly = await run(['verify'], both);
    assert.equal(partly.code, ExitCode.usage);
    assert.match(partly.stdout, /things and "public"\."things" are equal/);
    assert.match(partly.stderr, /error: \w+\.others: the table of run \d .* was dropped since — copy/);
    await sandbox.client.query('DELETE FROM things');
    assert.equal((await run(['verify'], both)).code, ExitCode.different);
  });

  it('reports a collection that is now empty, or dropped', async () => {
    await insert([{ _id: 1 }]);
    await insert([{ _id: 1 }], 'others');
    assert.equal((await run([], { MONGO_COLLECTION: '*' })).code, ExitCode.ok);
    await sandbox.db.collection('things').deleteMany({});
    const { code, stderr } = await run(['verify']);
    assert.equal(code, ExitCode.different);
    assert.match(
      stderr,
      /\.things is empty, and run \d .* has copied 1 document of it — nothing is left to compare/,
    );
    await sandbox.db.collection('things').drop();
    for (const names of ['things', 'things,others', '*']) {
      const dropped = await run(['verify'], { MONGO_COLLECTION: names });
      assert.equal(dropped.code, ExitCode.different, dropped.stderr);
      assert.match(
        dropped.stderr,
        /MongoDB has no collection \w+\.things, and run \d .* has copied 1 document of it/,
      );
      if (names !== 'things') assert.match(dropped.stdout, /others and "public"\."others" are equal/);
    }
    // A view of that name is not a collection to compare with.
    await sandbox.db.createCollection('things', { viewOn: 'others', pipeline: [] });
    const view = await run(['verify'], { MONGO_COLLECTION: '*' });
    assert.equal(view.code, ExitCode.source, view.stderr);
    assert.match(view.stderr, /\.things cannot be copied: it is a view/);
    await sandbox.db.collection('things').drop();
    await sandbox.client.query('DROP TABLE things');
    assert.equal(
      (await run(['verify'], { MONGO_COLLECTION: '*' })).code,
      ExitCode.ok,
      'nothing is left of it',
    );
  });
});
