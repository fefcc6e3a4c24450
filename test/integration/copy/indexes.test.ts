import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import type { IndexEvent, SummaryEvent } from '../../../src/observe/events.ts';
import { readEvents, runCli, startCli } from '../../support/cli.ts';
import { waitUntil } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const amount = 1_000;

describe('indexes', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query('DROP TABLE IF EXISTS people; DROP SCHEMA IF EXISTS mongo2pg CASCADE');
    await sandbox.db.dropDatabase();
  });

  const env = (): Record<string, string> => ({
    ...sandbox.env,
    MONGO_COLLECTION: 'people',
    CLUSTER_SIZE: '1',
  });

  async function fill(indexes: Document[], change: (n: number) => Document = () => ({})): Promise<void> {
    const people = sandbox.db.collection<{ _id: number }>('people');
    const documents = Array.from({ length: amount }, (_, n) => ({
      _id: n,
      name: `name ${n}`,
      age: n % 100,
      tags: [n],
      ...change(n),
    }));
    await people.insertMany(documents);
    await sandbox.db.command({ createIndexes: 'people', indexes });
  }

  /** By name, as Postgres defines them, without the common part. */
  async function readIndexes(): Promise<Record<string, string>> {
    const { rows } = await sandbox.client.query<{ name: string; definition: string }>(
      `SELECT indexname AS name, replace(indexdef, ' ON public.people USING btree', '') AS definition
         FROM pg_indexes WHERE tablename = 'people' ORDER BY 1`,
    );
    return Object.fromEntries(
      rows.map(({ name, definition }) => [
        name,
        definition.replace(/^CREATE (UNIQUE )?INDEX (".*?[^"]"|\w+) /, '$1'),
      ]),
    );
  }

  const primaryKey = { people_pkey: 'UNIQUE (_id)' };

  it('are built if Postgres has equivalents, and the others are reported with the reason', async () => {
    await fill(
      [
        { key: { name: 1 }, name: 'name_1', unique: true },
        { key: { age: -1, name: 1 }, name: 'by age' },
        { key: { name: 'hashed' }, name: 'name_hashed' },
        { key: { at: 1 }, name: 'at_1', sparse: true, expireAfterSeconds: 60 },
        { key: { age: 1 }, name: 'part', partialFilterExpression: { age: { $gt: 50 }, name: { $gte: 'n' } } },
        { key: { tags: 1 }, name: 'tags_1' },
        { key: { name: 'text' }, name: 'words' },
        { key: { name: -1 }, name: 'odd"; DROP TABLE people; --' },
      ],
      (n) => ({ at: new Date(n) }),
    );
    const { code, stdout, stderr } = await runCli([], env());
    assert.equal(code, ExitCode.ok, stderr);
    assert.deepEqual(await readIndexes(), {
      ...primaryKey,
      people_at_1: '(at) WHERE (at IS NOT NULL)',
      'people_by age': '(age DESC, name)',
      people_name_1: 'UNIQUE (name) NULLS NOT DISTINCT',
      people_name_hashed: '(name)',
      'people_odd"; DROP TABLE people; --': '(name DESC)',
      people_part: `(age) WHERE ((age > 50) AND (name >= ('n'::text COLLATE "C")))`,
    });
    assert.match(stdout, /^ {2}index people_name_1: built in \d+\.\d s$/m);
    assert.match(
      stdout,
      /^ {2}index people_at_1: built in \d+\.\d s; Postgres does not delete rows by itself/m,
    );
    assert.match(stdout, /^ {2}index tags_1: not carried over: .*column of their own.*USING gin \("tags"\)/m);
    assert.match(stdout, /^ {2}index words: not carried over: a text index/m);
  });

  it('are reported as events and in the summary, and the planner has statistics', async () => {
    await fill([
      { key: { age: 1 }, name: 'age_1' },
      { key: { tags: 1 }, name: 'tags_1' },
    ]);
    const run = startCli(['--json'], env());
    const events: IndexEvent[] = [];
    let summary: SummaryEvent | undefined;
    for await (const event of readEvents(run.process)) {
      if (event.kind === 'index') events.push(event);
      if (event.kind === 'summary') summary = event;
    }
    assert.equal((await run.result).code, ExitCode.ok);
    assert.deepEqual(
      events.map(({ index, outcome }) => [index, outcome]),
      [
        ['tags_1', 'left'],
        ['age_1', 'built'],
      ],
    );
    assert.deepEqual(
      summary?.indexes.map(({ index, outcome }) => [index, outcome]),
      [
        ['age_1', 'built'],
        ['tags_1', 'left'],
      ],
    );
    const { rows } = await sandbox.client.query(
      "SELECT attname FROM pg_stats WHERE tablename = 'people' AND attname IN ('_id', 'age') ORDER BY 1",
    );
    assert.deepEqual(rows, [{ attname: '_id' }, { attname: 'age' }]);
  });

  it('that are unique treat NULLs as equal, unless they are sparse', async () => {
    const isMissing = (n: number) => (n === 7 ? { name: undefined } : {});
    await fill(
      [
        { key: { name: 1 }, name: 'one', unique: true },
        { key: { nick: 1 }, name: 'many', unique: true, sparse: true },
      ],
      (n) => ({ ...isMissing(n), ...(n < 5 ? { nick: `nick ${n}` } : {}) }),
    );
    const { code, stderr } = await runCli([], env());
    assert.equal(code, ExitCode.ok, stderr);
    const insert = (id: number, name: string | null, nick: string | null) =>
      sandbox.client.query('INSERT INTO people (_id, name, nick) VALUES ($1, $2, $3)', [id, name, nick]);
    await insert(amount, 'another', null);
    await assert.rejects(insert(amount + 1, null, null), /people_one/);
    await assert.rejects(insert(amount + 1, 'other', 'nick 3'), /people_many/);
  });

  const skip = lacking('uncheckedUnique');
  it(
    'that the rows do not allow are skipped with the error of Postgres, and do not fail the run',
    { skip },
    async () => {
      // Too long for an index entry, also after compression.
      const long = Array.from({ length: 4_000 }, (_, i) => (i ** 3).toString(36)).join('');
      await fill(
        [
          { key: { age: 1 }, name: 'age_1', unique: true },
          { key: { text: 1 }, name: 'text_1' },
          { key: { name: 1 }, name: 'name_1' },
        ],
        (n) => (n === 1 ? { text: long } : { text: 'short' }),
      );
      const { code, stdout, stderr } = await runCli([], env());
      assert.equal(code, ExitCode.ok, stderr);
      assert.deepEqual(Object.keys(await readIndexes()), ['people_name_1', 'people_pkey']);
      assert.match(
        stdout,
        /index age_1: not carried over: Postgres: could not create unique index .*\(Key \(age\)=/,
      );
      assert.match(stdout, /index text_1: not carried over: Postgres: index row .* \d+ bytes/);
    },
  );

  it('get another name if a table has theirs', async () => {
    await fill([
      { key: { age: 1 }, name: 'age_1' },
      { key: { name: 1 }, name: 'pkey' },
    ]);
    await sandbox.client.query('CREATE TABLE people_age_1 ()');
    try {
      const { code, stderr } = await runCli([], env());
      assert.equal(code, ExitCode.ok, stderr);
    } finally {
      await sandbox.client.query('DROP TABLE people_age_1');
    }
    const found = Object.entries(await readIndexes());
    assert.deepEqual(
      found.map(([name, definition]) => [name.replace(/_[\da-f]{8}$/, '#'), definition]),
      [
        ['people_age_1#', '(age)'],
        ['people_pkey', 'UNIQUE (_id)'],
        ['people_pkey#', '(name)'],
      ],
    );
  });

  it('get another name if another session takes theirs at the same moment', async (t) => {
    await fill([{ key: { age: 1 }, name: 'age_1' }]);
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'pause@2' });
    const run = startCli([], { ...env(), ...failpoints.env });
    await failpoints.waitUntilFired('primary-in-index-build');
    await sandbox.client.query('BEGIN; CREATE TABLE people_age_1 ()');
    await failpoints.resume('primary-in-index-build');
    await waitUntil('the index waits for the name', async () => {
      const { rowCount } = await sandbox.client.query(
        'SELECT FROM pg_locks WHERE transactionid = pg_current_xact_id()::xid AND NOT granted',
      );
      return rowCount === 1;
    });
    await sandbox.client.query('COMMIT');
    try {
      const { code, stderr } = await run.result;
      assert.equal(code, ExitCode.ok, stderr);
      const [name, definition] = Object.entries(await readIndexes())[0] ?? [];
      assert.match(name ?? '', /^people_age_1_[\da-f]{8}$/);
      assert.equal(definition, '(age)');
    } finally {
      await sandbox.client.query('DROP TABLE people_age_1');
    }
  });

  it('are skipped with --indexes none, and in an existing table', async () => {
    await fill([{ key: { age: 1 }, name: 'age_1' }]);
    const none = await runCli(['--indexes', 'none'], env());
    assert.equal(none.code, ExitCode.ok, none.stderr);
    assert.deepEqual(await readIndexes(), primaryKey);
    assert.doesNotMatch(none.stdout, /index \w+:/);

    await sandbox.client.query('CREATE TABLE own AS SELECT * FROM people LIMIT 0; DROP TABLE people');
    await sandbox.client.query('ALTER TABLE own RENAME TO people');
    const foreign = await runCli(['--restart'], env());
    assert.equal(foreign.code, ExitCode.ok, foreign.stderr);
    assert.deepEqual(await readIndexes(), {});
    assert.match(foreign.stdout, /index age_1: not carried over: mongo2pg did not create the table/);
  });

  it('are completed after a kill: those that were built are kept', async (t) => {
    await fill([
      { key: { age: 1 }, name: 'a' },
      { key: { age: -1 }, name: 'b' },
      { key: { name: 1 }, name: 'c', unique: true },
    ]);
    // The first hit is before the primary key, the others before an index each.
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'kill@3' });
    const jobs = ['--index-jobs', '1'];
    const killed = await runCli(jobs, { ...env(), ...failpoints.env });
    assert.equal(killed.signal, 'SIGKILL');
    assert.deepEqual(Object.keys(await readIndexes()), ['people_a', 'people_pkey']);
    const { code, stdout, stderr } = await runCli(jobs, env());
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stderr, /continuing run/);
    assert.match(stdout, /index people_a: already exists/);
    assert.match(stdout, /index people_b: built/);
    assert.deepEqual(Object.keys(await readIndexes()), ['people_a', 'people_b', 'people_c', 'people_pkey']);
  });

  it('are cancelled at SIGINT, and built by the next start', async (t) => {
    await fill([
      { key: { age: 1 }, name: 'a' },
      { key: { name: 1 }, name: 'b' },
      { key: { age: -1 }, name: 'c' },
    ]);
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'pause@2x*' });
    const run = startCli(['--index-jobs', '2'], { ...env(), ...failpoints.env });
    await failpoints.waitUntilFired('primary-in-index-build', 2);
    // Building an index waits for this lock.
    await sandbox.client.query('BEGIN; LOCK TABLE people IN ROW EXCLUSIVE MODE');
    try {
      await failpoints.resume('primary-in-index-build');
      await waitUntil('two indexes are being built', async () => (await countBuilding()) === 2);
      run.process.kill('SIGINT');
      const { code, stderr } = await run.result;
      assert.equal(code, ExitCode.sigint, stderr);
      assert.equal(await countBuilding(), 0);
    } finally {
      await sandbox.client.query('ROLLBACK');
    }
    assert.deepEqual(await readIndexes(), primaryKey);
    const next = await runCli([], env());
    assert.equal(next.code, ExitCode.ok, next.stderr);
    assert.deepEqual(Object.keys(await readIndexes()), ['people_a', 'people_b', 'people_c', 'people_pkey']);
  });

  /** Those that wait for the lock. */
  async function countBuilding(): Promise<number> {
    const { rows } = await sandbox.client.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM pg_locks WHERE relation = 'people'::regclass AND NOT granted",
    );
    return rows[0]?.count ?? 0;
  }
});
