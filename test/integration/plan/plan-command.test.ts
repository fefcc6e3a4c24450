import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Long } from 'bson';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import { lacking } from '../../support/server-features.ts';
import type { PlanFile, PlanFileColumn } from '../../../src/plan/file/plan-schema.ts';

describe('the command plan, and a start with its file', () => {
  let sandbox: Sandbox;
  let folder: string;
  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-plan-'));
    await sandbox.db.collection<{ _id: number }>('people').insertMany(
      Array.from({ length: 100 }, (_, index) => ({
        _id: index,
        name: `person ${index}`,
        age: index === 50 ? 'unknown' : index,
        password: 'secret',
        address: { city: index % 2 === 0 ? 'London' : 'Paris', zip: `${index}` },
        ...(index === 7 ? { nickname: 'Seven' } : {}),
      })),
    );
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });

  const env = (): Record<string, string> => ({
    ...sandbox.env,
    MONGO_COLLECTION: 'people',
    CLUSTER_SIZE: '1',
  });

  /** Without Postgres: a plan needs none. */
  async function writePlan(name: string, ...args: string[]) {
    const path = join(folder, name);
    const result = await runCli(['plan', '--out', path, ...args], { ...env(), POSTGRES_URL: '' });
    assert.equal(result.code, ExitCode.ok, result.stderr);
    return { path, plan: JSON.parse(await readFile(path, 'utf8')) as PlanFile, stderr: result.stderr };
  }

  const skip = lacking('validators');
  it(
    '--required-not-null: NOT NULL where the sample agrees with the validator; a document without the value becomes a dead letter',
    { skip },
    async () => {
      const { db, client } = sandbox;
      const validator = { $jsonSchema: { required: ['name', 'email', '_id'] } };
      // As on a server whose validator is younger than its documents.
      await db.createCollection('members', { validator, validationAction: 'warn' });
      const members = db.collection<{ _id: number; name?: string; email?: string }>('members');
      await members.insertMany([
        { _id: 1, name: 'Ada', email: 'ada@example.com' },
        { _id: 2, name: 'Bob' },
      ]);
      const env = { ...sandbox.env, MONGO_COLLECTION: 'members', CLUSTER_SIZE: '1' };
      const path = join(folder, 'members.json');
      const planned = await runCli(['plan', '--out', path, '--required-not-null'], env);
      assert.equal(planned.code, ExitCode.ok, planned.stderr);
      const nullable =
        /the validator requires "email", but a document without a value was found: it may be NULL/;
      assert.match(planned.stdout + planned.stderr, nullable);

      const inferred = await runCli(['--required-not-null'], env);
      assert.equal(inferred.code, ExitCode.ok, inferred.stderr);
      assert.match(inferred.stderr, nullable);
      const { rows } = await client.query<{ name: string }>(
        `SELECT attname AS name FROM pg_attribute WHERE attrelid = 'members'::regclass AND attnum > 0 AND attnotnull
        ORDER BY attnum`,
      );
      assert.deepEqual(
        rows.map(({ name }) => name),
        ['_id', 'name'],
      );

      // They were in no sample.
      await members.insertMany([{ _id: 3 }, { _id: 4, name: null as never }, { _id: 5, name: 'Eva' }]);
      const followed = await runCli(['--plan', path, '--if-exists', 'drop', '--restart'], env);
      assert.equal(followed.code, ExitCode.deadLetters, followed.stderr);
      assert.match(followed.stdout, /read 5 = copied 3 \+ dead-lettered 2/);
      const { rows: letters } = await client.query(
        `SELECT document_id AS id, reason, column_name AS "column", detail FROM mongo2pg.dead_letters ORDER BY ordinal`,
      );
      const letter = (id: number, what: string) => ({
        id: `{"$numberInt":"${id}"}`,
        reason: 'required',
        column: 'name',
        detail: `the required value of "name" ${what}`,
      });
      assert.deepEqual(letters, [letter(3, 'is missing'), letter(4, 'is null')]);
      assert.equal((await runCli(['verify'], env)).code, ExitCode.ok);
    },
  );

  async function startWith(path: string, plan: PlanFile, ...args: string[]) {
    await writeFile(path, JSON.stringify(plan));
    return await runCli(['--plan', path, ...args], env());
  }

  function columnOf(plan: PlanFile, name: string): PlanFileColumn {
    const column = plan.columns.find(({ column }) => column === name);
    assert.ok(column, `no column ${name}`);
    return column;
  }

  it('writes what the sample has, and shows the table and the risks', async () => {
    const { plan, stderr } = await writePlan('written.json');
    assert.deepEqual(plan.columns, [
      { column: '_id', path: '_id', type: 'int32', seen: 'int 100%' },
      { column: 'name', path: 'name', type: 'string', seen: 'string 100%; longest 9 bytes' },
      { column: 'age', path: 'age', type: 'json', seen: 'int 99%, string 1%; longest 7 bytes' },
      { column: 'password', path: 'password', type: 'string', seen: 'string 100%; longest 6 bytes' },
      { column: 'address', path: 'address', type: 'json', seen: 'object 100%' },
      {
        column: 'nickname',
        path: 'nickname',
        type: 'string',
        seen: 'missing 99%, string 1%; longest 5 bytes',
      },
    ]);
    assert.deepEqual(
      plan.nested?.map(({ path, type }) => [path, type]),
      [
        ['address.city', 'string'],
        ['address.zip', 'string'],
      ],
    );
    assert.match(stderr, /CREATE TABLE "public"\."people" \(\n {2}"_id" integer NOT NULL,\n {2}"name" text,/);
    assert.match(stderr, /ADD PRIMARY KEY \("_id"\);/);
    assert.match(stderr, /^- the field "age" has several types \(int, string\) and becomes jsonb$/m);
    assert.match(stderr, /^- seen in one document only: "nickname";/m);
  });

  it('prints the plan if no file is named', async () => {
    const { code, stdout } = await runCli(['plan'], { ...env(), POSTGRES_URL: '' });
    assert.equal(code, ExitCode.ok);
    assert.equal((JSON.parse(stdout) as PlanFile).table, 'people');
  });

  it('overwrites a file only with --force', async () => {
    const path = join(folder, 'mine.json');
    await writeFile(path, 'mine');
    const refused = await runCli(['plan', '--out', path], env());
    assert.equal(refused.code, ExitCode.usage);
    assert.match(refused.stderr, /^error: .*mine\.json already exists — .*--force\.$/m);
    assert.equal(await readFile(path, 'utf8'), 'mine');
    await writePlan('mine.json', '--force');
    assert.notEqual(await readFile(path, 'utf8'), 'mine');
  });

  it('is applied: names, types, dropped and unmapped fields, nested values, NOT NULL', async () => {
    const { path, plan } = await writePlan('followed.json');
    Object.assign(columnOf(plan, '_id'), { column: 'id', type: 'int64' });
    Object.assign(columnOf(plan, 'name'), { column: 'full_name', notNull: true });
    columnOf(plan, 'age').type = 'int32';
    const result = await startWith(path, {
      ...plan,
      table: 'persons',
      extraColumn: 'rest',
      columns: [
        ...plan.columns.filter(({ column }) => column !== 'password' && column !== 'nickname'),
        { column: 'city', path: 'address.city', type: 'string', notNull: true },
      ],
      drop: ['password'],
    });
    assert.equal(result.code, ExitCode.ok, result.stderr);
    assert.match(result.stdout, /read 100 = copied 100 \+ dead-lettered 0/);
    const { rows: columns } = await sandbox.client.query(
      `SELECT column_name, data_type, is_nullable FROM information_schema.columns
        WHERE table_name = 'persons' ORDER BY ordinal_position`,
    );
    assert.deepEqual(
      columns.map((row: object) => Object.values(row) as string[]),
      [
        ['id', 'bigint', 'NO'],
        ['full_name', 'text', 'NO'],
        ['age', 'integer', 'YES'],
        ['address', 'jsonb', 'YES'],
        ['city', 'text', 'NO'],
        ['rest', 'jsonb', 'YES'],
      ],
    );
    const { rows } = await sandbox.client.query(
      'SELECT id::int, full_name, age, city, rest FROM persons WHERE id IN (1, 7, 50) ORDER BY id',
    );
    assert.deepEqual(rows, [
      { id: 1, full_name: 'person 1', age: 1, city: 'Paris', rest: null },
      { id: 7, full_name: 'person 7', age: 7, city: 'Paris', rest: { nickname: 'Seven' } },
      { id: 50, full_name: 'person 50', age: null, city: 'London', rest: { age: 'unknown' } },
    ]);
    const { rows: keys } = await sandbox.client.query(
      "SELECT pg_get_constraintdef(oid) AS key FROM pg_constraint WHERE conrelid = 'persons'::regclass AND contype = 'p'",
    );
    assert.deepEqual(keys, [{ key: 'PRIMARY KEY (id)' }]);
  });

  it('is refused if it is invalid, before a server is contacted', async () => {
    const { path, plan } = await writePlan('wrong.json');
    columnOf(plan, 'name').type = 'strnig' as 'string';
    await writeFile(path, JSON.stringify(plan));
    const nowhere = { MONGO_URL: 'mongodb://127.0.0.1:1', POSTGRES_URL: 'postgres://127.0.0.1:1/x' };
    const { code, stderr } = await runCli(['--plan', path], { ...env(), ...nowhere });
    assert.equal(code, ExitCode.usage);
    assert.match(
      stderr,
      /^error: the plan .*wrong\.json is not valid: columns\[1\]\.type: must be one of .*not "strnig"/,
    );
  });

  it('checks the table that the plan names, and not that of the collection', async () => {
    const { path, plan } = await writePlan('table.json');
    await sandbox.client.query('CREATE TABLE taken (mine text)');
    await sandbox.client.query("INSERT INTO taken VALUES ('keep')");
    const { code, stderr } = await startWith(path, { ...plan, table: 'taken' });
    assert.equal(code, ExitCode.target);
    assert.match(stderr, /"public"\."taken" already exists and has rows/);
  });

  it('keeps whole documents with --schema document, with a plan or without', async () => {
    const { path, plan } = await writePlan('document.json', '--schema', 'document');
    const { columns, extraColumn, keepsWhole, nested } = plan;
    assert.deepEqual([columns.length, extraColumn, keepsWhole, nested], [1, 'document', true, undefined]);
    const planned = await startWith(path, { ...plan, table: 'planned' });
    assert.equal(planned.code, ExitCode.ok, planned.stderr);
    const inferred = await runCli(['--schema', 'document', '--postgres-schema', 'whole'], env());
    assert.equal(inferred.code, ExitCode.ok, inferred.stderr);
    for (const table of ['planned', 'whole.people']) {
      const { rows } = await sandbox.client.query(`SELECT * FROM ${table} WHERE _id = 7`);
      assert.deepEqual(rows, [
        {
          _id: 7,
          document: {
            _id: 7,
            name: 'person 7',
            age: 7,
            password: 'secret',
            address: { city: 'Paris', zip: '7' },
            nickname: 'Seven',
          },
        },
      ]);
    }
  });

  it('keeps an ObjectId as bytes with --object-id bytea', async () => {
    const { insertedId } = await sandbox.db.collection('ids').insertOne({ n: Long.fromNumber(1) });
    const { code, stderr } = await runCli(['--object-id', 'bytea'], { ...env(), MONGO_COLLECTION: 'ids' });
    assert.equal(code, ExitCode.ok, stderr);
    const { rows } = await sandbox.client.query("SELECT encode(_id, 'hex') AS id FROM ids");
    assert.deepEqual(rows, [{ id: insertedId.toHexString() }]);
  });
});
