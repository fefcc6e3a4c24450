import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { ExitCode } from '../../src/errors.ts';
import type { PlanFile } from '../../src/plan/plan-file.ts';
import { runCli } from '../support/cli.ts';
import { createSandbox, type Sandbox } from '../support/servers.ts';

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

describe('a table that is there already', () => {
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
         FROM mongo2pg.dead_letters ORDER BY batch, ordinal`,
    );
    return rows.map(({ id, reason, code, column }) => [Number(id), reason, code, column]);
  }

  async function hasLedger(): Promise<boolean> {
    const { rowCount } = await sandbox.client.query("SELECT FROM pg_namespace WHERE nspname = 'mongo2pg'");
    return (rowCount ?? 0) > 0;
  }

  it('takes the documents by its own types, and gives them keys of its own', async () => {
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

  it('makes a dead letter of each document that it does not take, with the column', async () => {
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

  it('keeps a document whole whose further field comes after the sample', async () => {
    await sandbox.client.query(usersTable);
    const bounds = ['--items-per-page', '1', '--max-dead-letters'];
    const first = await migrate([user(1, { age: 'old' }), user(2)], usersPlan, ...bounds, '0');
    assert.equal(first.code, ExitCode.deadLetters);
    assert.match(first.stderr, /the same command goes on from there/);
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
});
