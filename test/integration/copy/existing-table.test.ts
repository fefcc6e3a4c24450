import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import type { PlanFile } from '../../../src/plan/file/plan-schema.ts';

const usersTable = `CREATE TABLE users (
  id serial PRIMARY KEY,
  username varchar(50) NOT NULL,
  email varchar(50) NOT NULL,
  age int NOT NULL,
  registered_at timestamp NOT NULL DEFAULT now()
)`;

const usersPlan: PlanFile = {
  columns: [
    { column: 'username', path: 'username', type: 'string' },
    { column: 'email', path: 'email', type: 'string' },
    { column: 'age', path: 'age', type: 'int32' },
    { column: 'registered_at', path: 'registered_at', type: 'date' },
  ],
  drop: ['_id'],
};

const registered = new Date('2024-02-29T12:34:56.789Z');

function user(number: number, change: Document = {}): Document {
  const name = `user ${number}`;
  const base = {
    _id: number,
    username: name,
    email: `${number}@example.org`,
    age: 30,
    registered_at: registered,
  };
  return { ...base, ...change };
}

describe('an existing table', () => {
  let sandbox: Sandbox;
  let folder: string;
  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-table-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query('DROP TABLE IF EXISTS users; DROP SCHEMA IF EXISTS mongo2pg CASCADE');
    await sandbox.db.collection('users').drop();
  });

  async function migrate(documents: Document[], plan: PlanFile | null, ...args: string[]) {
    if (documents.length > 0) await sandbox.db.collection('users').insertMany(documents);
    const path = join(folder, 'plan.json');
    await writeFile(path, JSON.stringify(plan));
    return await run(...(plan === null ? [] : ['--plan', path]), ...args);
  }

  function run(...args: string[]) {
    return runCli(args, { ...sandbox.env, MONGO_COLLECTION: 'users', CLUSTER_SIZE: '1' });
  }

  async function readRows(columns = '*'): Promise<Document[]> {
    return (await sandbox.client.query<Document>(`SELECT ${columns} FROM users`)).rows;
  }

  async function readLetters() {
    const { rows } = await sandbox.client.query<{
      id: string;
      reason: string;
      code: string | null;
      column: string | null;
    }>(
      `SELECT document_id::jsonb->>'$numberInt' AS id, reason, code, column_name AS "column"
         FROM mongo2pg.dead_letters ORDER BY range_no, batch, ordinal`,
    );
    return rows.map(({ id, reason, code, column }) => [Number(id), reason, code, column]);
  }

  async function hasLedger(): Promise<boolean> {
    const { rowCount } = await sandbox.client.query("SELECT FROM pg_namespace WHERE nspname = 'mongo2pg'");
    return (rowCount ?? 0) > 0;
  }

  it('is loaded by its own types, with its own keys', async () => {
    await sandbox.client.query(usersTable);
    const { code, stdout, stderr } = await migrate([user(1), user(2, { age: 31 })], usersPlan);
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, /read 2 = copied 2 \+ dead-lettered 0/);
    assert.deepEqual(
      await readRows("id, username, email, age, to_char(registered_at, 'YYYY-MM-DD HH24:MI:SS.MS') AS at"),
      [
        { id: 1, username: 'user 1', email: '1@example.org', age: 30, at: '2024-02-29 12:34:56.789' },
        { id: 2, username: 'user 2', email: '2@example.org', age: 31, at: '2024-02-29 12:34:56.789' },
      ],
    );
  });

  it('makes each document that it rejects a dead letter, with the column', async () => {
    await sandbox.client.query(usersTable);
    const documents = [
      user(1),
      user(2, { username: 'x'.repeat(51) }),
      user(3, { email: undefined }),
      user(4, { age: '30' }),
      user(5, { age: 30.5 }),
      user(6, { username: `${'x'.repeat(50)}   ` }),
      user(7, { username: 'é'.repeat(50) }),
      user(8),
    ];
    const { code, stdout } = await migrate(documents, usersPlan, '--items-per-page', '100');
    assert.equal(code, ExitCode.deadLetters);
    assert.match(stdout, /read 8 = copied 3 \+ dead-lettered 5/);
    assert.deepEqual(await readLetters(), [
      [2, 'refused', '22001', 'username'],
      [3, 'refused', '23502', 'email'],
      [4, 'does_not_fit', null, 'age'],
      [5, 'does_not_fit', null, 'age'],
      [6, 'does_not_fit', null, 'username'],
    ]);
  });

  it('refuses fields without a column before anything is written', async () => {
    await sandbox.client.query(usersTable);
    const { code, stderr } = await migrate([user(1, { nickname: 'One', likes: [] })], usersPlan);
    assert.equal(code, ExitCode.target);
    assert.match(
      stderr,
      /"public"\."users" does not fit the collection: there is no column for "nickname", "likes" — add a column "_extra" jsonb/,
    );
    assert.equal(await hasLedger(), false);
    const inferred = await run();
    assert.equal(inferred.code, ExitCode.target);
    assert.match(inferred.stderr, /there is no column for "_id", "nickname", "likes"/);
  });

  it('makes a document with a field that is not in the sample a dead letter', async () => {
    await sandbox.client.query(usersTable);
    const bounds = ['--items-per-page', '1', '--max-dead-letters'];
    const first = await migrate([user(1, { age: 'old' }), user(2)], usersPlan, ...bounds, '0');
    assert.equal(first.code, ExitCode.deadLetters);
    assert.match(first.stderr, /the same command resumes from there/);
    const second = await migrate([user(3, { late: 1 }), user(4)], usersPlan, ...bounds, '2');
    assert.equal(second.code, ExitCode.deadLetters);
    assert.deepEqual(await readLetters(), [
      [1, 'does_not_fit', null, 'age'],
      [3, 'no_column', null, null],
    ]);
    assert.deepEqual(
      (await readRows()).map(({ username }) => username as unknown),
      ['user 2', 'user 4'],
    );
  });

  it('is fixed, and retry loads the dead letters that fit it then', async () => {
    await sandbox.client.query(usersTable);
    const documents = [
      user(1),
      user(2, { username: 'x'.repeat(51) }),
      user(3, { username: `${'x'.repeat(50)} ` }),
      user(4, { email: undefined }),
      user(5, { age: 2 ** 40 }),
      user(6, { age: 'old' }),
    ];
    const { code } = await migrate(documents, usersPlan);
    assert.equal(code, ExitCode.deadLetters);
    assert.equal((await readLetters()).length, 5);
    await sandbox.client.query(
      'ALTER TABLE users ALTER username TYPE varchar(60), ALTER email DROP NOT NULL, ALTER age TYPE bigint',
    );
    const retried = await run('retry');
    assert.equal(retried.code, ExitCode.deadLetters);
    assert.match(retried.stderr, /4 dead letters loaded, 1 left/);
    assert.deepEqual(await readLetters(), [[6, 'does_not_fit', null, 'age']]);
    await sandbox.client.query('ALTER TABLE users ADD COLUMN _extra jsonb');
    assert.match((await run('retry')).stderr, /0 dead letters loaded, 1 left/, 'age is NOT NULL');
    await sandbox.client.query('ALTER TABLE users ALTER age DROP NOT NULL');
    const last = await run('retry');
    assert.equal(last.code, ExitCode.ok);
    const [row] = (await readRows()).filter(({ username }) => username === 'user 6');
    assert.deepEqual([row?.age, row?._extra], [null, { age: 'old' }]);
  });

  it('gets its defaults, identities and generated values in columns without a field', async () => {
    await sandbox.client.query(`CREATE TABLE users (
      _id int,
      number int GENERATED ALWAYS AS IDENTITY,
      other int GENERATED BY DEFAULT AS IDENTITY (START 100),
      username text,
      shout text GENERATED ALWAYS AS (upper(username)) STORED,
      state text NOT NULL DEFAULT 'new',
      note text)`);
    const documents = [1, 2].map((_id) => ({ _id, username: `user ${_id}` }));
    const { code, stderr } = await migrate(documents, null);
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stderr, /filled by default, as no field is for them: "other", "state"/);
    assert.deepEqual(await readRows(), [
      { _id: 1, number: 1, other: 100, username: 'user 1', shout: 'USER 1', state: 'new', note: null },
      { _id: 2, number: 2, other: 101, username: 'user 2', shout: 'USER 2', state: 'new', note: null },
    ]);
  });

  it('a field for a generated column is refused, as one without a column', async () => {
    await sandbox.client.query('CREATE TABLE users (_id int, number int GENERATED ALWAYS AS IDENTITY)');
    const inferred = await migrate([{ _id: 1, number: 7 }], null);
    assert.equal(inferred.code, ExitCode.target);
    assert.match(inferred.stderr, /there is no column for "number"/);
    const written = await migrate([], {
      columns: [
        { column: '_id', path: '_id', type: 'int32' },
        { column: 'number', path: 'number', type: 'int32' },
      ],
    });
    assert.match(written.stderr, /"number" is GENERATED ALWAYS, and takes no values/);
  });

  it('partitioned, with a key of another name and an extra column', async () => {
    await sandbox.client.query(`
      CREATE TABLE users (id int PRIMARY KEY, username varchar(10), _extra jsonb) PARTITION BY RANGE (id);
      CREATE TABLE users_low PARTITION OF users FOR VALUES FROM (0) TO (100);
      CREATE TABLE users_high PARTITION OF users FOR VALUES FROM (100) TO (200)`);
    const documents = [user(1), user(150), user(2, { username: 'too long for it' }), user(500)];
    const plan: PlanFile = {
      columns: [
        { column: 'id', path: '_id', type: 'int32' },
        { column: 'username', path: 'username', type: 'string' },
      ],
      drop: ['registered_at', 'email'],
    };
    const { code } = await migrate(documents, plan);
    assert.equal(code, ExitCode.deadLetters);
    assert.deepEqual(await readRows('tableoid::regclass::text AS part, id, username, _extra'), [
      { part: 'users_low', id: 1, username: 'user 1', _extra: { age: 30 } },
      { part: 'users_low', id: 2, username: null, _extra: { age: 30, username: 'too long for it' } },
      { part: 'users_high', id: 150, username: 'user 150', _extra: { age: 30 } },
    ]);
    assert.deepEqual(await readLetters(), [[500, 'refused', '23514', null]]);
    const verified = await run('verify');
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
    assert.match(verified.stdout, /compared 4 = equal 3 \+ dead-lettered 1/);
  });

  it('with domains that reject NULL, and others that Postgres casts', async () => {
    await sandbox.client.query(`
      CREATE DOMAIN named AS varchar(5) NOT NULL;
      CREATE TABLE users (_id varchar(30), username named, home inet, likes text[], doc json);`);
    const documents = [
      { _id: 'a', username: 'one', home: '10.0.0.1', likes: ['x'], doc: { b: 1, a: 2 } },
      { _id: 'b', home: '10.0.0.2' },
      { _id: 'c', username: 'three', home: 'nowhere' },
      { _id: 'd', username: 'too long', home: '10.0.0.3' },
    ];
    const { code } = await migrate(documents, null);
    assert.equal(code, ExitCode.deadLetters);
    assert.deepEqual(await readRows('_id, username, home, likes, doc::text'), [
      { _id: 'a', username: 'one', home: '10.0.0.1', likes: ['x'], doc: '{"b":1,"a":2}' },
    ]);
    const { rows } = await sandbox.client.query(
      'SELECT document_id AS id, code, column_name AS "column" FROM mongo2pg.dead_letters ORDER BY 1',
    );
    assert.deepEqual(rows, [
      { id: '"b"', code: '23502', column: 'username' },
      { id: '"c"', code: '22P02', column: 'home' },
      { id: '"d"', code: '22001', column: 'username' },
    ]);
    assert.match((await run('verify')).stdout, /compared 4 = equal 1 \+ dead-lettered 3/);
    await sandbox.client.query('UPDATE users SET doc = \'{"a":2,"b":1}\', home = \'10.0.0.9\'');
    const verified = await run('verify');
    assert.equal(verified.code, ExitCode.different);
    assert.match(verified.stdout, /home.*10\.0\.0\.1.*10\.0\.0\.9/s);
    assert.match(verified.stdout, /doc/);
  });

  it('is refused if its columns require more than the documents have, or other types', async () => {
    await sandbox.client.query(`CREATE TABLE users (
      _id int, username text, age int, tenant int NOT NULL, flag "char", _extra jsonb)`);
    const { code, stderr } = await migrate([{ _id: 1, age: 1, flag: 'x' }], {
      columns: [
        { column: '_id', path: '_id', type: 'int32' },
        { column: 'age', path: 'age', type: 'string' },
        { column: 'flag', path: 'flag', type: 'string' },
        { column: 'nickname', path: 'nickname', type: 'string' },
      ],
    });
    assert.equal(code, ExitCode.target);
    for (const reason of [
      '"age" is integer, which has no values of the type string; ',
      '"flag" is "char", which changes values without saying so; ',
      '"nickname" (text) is missing; ',
      '"tenant" is NOT NULL without a default, and the plan has no entry for it',
    ]) {
      assert.ok(stderr.includes(reason), stderr);
    }
    assert.equal(await hasLedger(), false);
    await sandbox.client.query('ALTER TABLE users DROP COLUMN flag');
    const inferred = await run();
    assert.match(
      inferred.stderr,
      /"tenant" is NOT NULL without a default, and no field of the sample has its name/,
    );
    await sandbox.client.query('DROP TABLE users; CREATE VIEW users AS SELECT 1 AS _id');
    assert.match((await run('--if-exists', 'append')).stderr, /"public"\."users" is a view, not a table/);
    await sandbox.client.query('DROP VIEW users');
    const made = await migrate([], usersPlan);
    assert.match(made.stderr, /the plan drops _id, and the table "public"\."users" does not exist yet/);
  });

  it('append and truncate', async () => {
    await sandbox.client.query(usersTable);
    await sandbox.client.query("INSERT INTO users (username, email, age) VALUES ('before', 'b', 1)");
    const refused = await migrate([user(1)], usersPlan);
    assert.equal(refused.code, ExitCode.target);
    assert.match(refused.stderr, /already exists and has rows/);
    const appended = await migrate([], usersPlan, '--if-exists', 'append');
    assert.equal(appended.code, ExitCode.ok, appended.stderr);
    assert.deepEqual(await readRows('username'), [{ username: 'before' }, { username: 'user 1' }]);
    const truncated = await migrate([user(2)], usersPlan, '--if-exists', 'truncate');
    assert.equal(truncated.code, ExitCode.ok, truncated.stderr);
    assert.deepEqual(await readRows('id, username'), [
      { id: 3, username: 'user 1' },
      { id: 4, username: 'user 2' },
    ]);
  });
});
