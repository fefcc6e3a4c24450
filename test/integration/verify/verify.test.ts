import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { Decimal128, Double } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import type { RunEvent } from '../../../src/observe/events.ts';
import type { VerificationSummary } from '../../../src/observe/verification-summary.ts';
import { pool, runCli } from '../../support/cli.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const amount = 30_000;

/** Changes of the table `things`, and what verify must then report. */
const planted: Readonly<
  Record<
    string,
    {
      readonly sql: string;
      readonly found: readonly (readonly [kind: string, id: string, column?: string, values?: RegExp])[];
    }
  >
> = {
  'a row removed': {
    sql: 'DELETE FROM things WHERE _id = 27777',
    found: [['missing', '{"$numberInt":"27777"}']],
  },
  'a row added': {
    sql: 'INSERT INTO things (_id, text) VALUES (-5, NULL)',
    found: [['extra', '-5']],
  },
  'one byte changed in a text': {
    sql: "UPDATE things SET text = overlay(text PLACING 'T' FROM 1) WHERE _id = 3",
    found: [['different', '{"$numberInt":"3"}', 'text', /^text 3→Text 3$/]],
  },
  'a key of a jsonb changed': {
    sql: `UPDATE things SET nested = nested - 'a' || '{"A": 1}' WHERE _id = 4`,
    found: [['different', '{"$numberInt":"4"}', 'nested', /"a": 4.*→.*"A": 1/]],
  },
  'the last digit of a numeric': {
    sql: 'UPDATE things SET price = price + 0.0000000000000000000000000000001 WHERE _id = 5',
    found: [['different', '{"$numberInt":"5"}', 'price', /1→.*1$/]],
  },
  'a timestamp, by a millisecond': {
    sql: "UPDATE things SET at = at + interval '1 ms' WHERE _id = 6",
    found: [['different', '{"$numberInt":"6"}', 'at', /\.006.*→.*\.007/]],
  },
  'NaN for NULL': {
    sql: "UPDATE things SET maybe = 'NaN' WHERE _id = 8",
    found: [['different', '{"$numberInt":"8"}', 'maybe', /^NULL→NaN$/]],
  },
  '_extra emptied': {
    sql: 'UPDATE things SET _extra = NULL WHERE _id = 29999',
    found: [['different', '{"$numberInt":"29999"}', '_extra', /"late": true.*→NULL/]],
  },
  'two rows swapped': {
    sql: `UPDATE things SET text = CASE _id WHEN 20 THEN 'text 21' ELSE 'text 20' END WHERE _id IN (20, 21)`,
    found: [
      ['different', '{"$numberInt":"20"}', 'text', /^text 20→text 21$/],
      ['different', '{"$numberInt":"21"}', 'text', /^text 21→text 20$/],
    ],
  },
  'a duplicate row': {
    sql: 'ALTER TABLE things DROP CONSTRAINT things_pkey; INSERT INTO things SELECT * FROM things WHERE _id = 9',
    found: [['doubled', '9']],
  },
};

describe('npm run verify', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    const documents = Array.from({ length: amount }, (_, index) => ({
      _id: index as never,
      text: `text ${index}`,
      nested: { a: index, list: [1, 'two'] },
      price: Decimal128.fromString(`${index}.0000000000000000000000000001`),
      at: new Date(Date.UTC(2026, 0, 1) + index),
      maybe: index % 3 === 0 ? new Double(NaN) : null,
      // Too late for the sample, so that it goes to _extra.
      ...(index === amount - 1 ? { late: true } : {}),
    }));
    await sandbox.db.collection('things').insertMany(documents);
    await sandbox.db.collection('things').insertOne({ _id: -1 as never, text: 'N\0UL' });
    // In one case of a thousand the sample has the last document, whose field then is a column.
    const { code } = await run([], { SAMPLE_SIZE: '30' });
    assert.equal(code, ExitCode.deadLetters);
    await sandbox.client.query('CREATE TABLE kept AS SELECT * FROM things');
  });
  after(async () => {
    await sandbox.remove();
  });
  afterEach(async () => {
    await sandbox.client.query(
      `ALTER TABLE things DROP CONSTRAINT IF EXISTS things_pkey; TRUNCATE things;
       INSERT INTO things SELECT * FROM kept; ALTER TABLE things ADD PRIMARY KEY (_id)`,
    );
  });

  function run(args: readonly string[], env: Record<string, string> = {}) {
    return runCli(args, {
      ...sandbox.env,
      MONGO_COLLECTION: 'things',
      CLUSTER_SIZE: '2',
      ITEMS_PER_PAGE: '6000',
      ...env,
    });
  }

  async function verify(...args: string[]): Promise<{ code: number | null; summary: VerificationSummary }> {
    const { code, stdout, stderr } = await run(['verify', '--json', ...args]);
    const events = stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as RunEvent);
    const summary = events.find((event) => event.kind === 'verified');
    assert.ok(summary !== undefined, stderr);
    return { code, summary };
  }

  it('reports equality, and counts dead letters', async () => {
    const { code, stdout } = await run(['verify']);
    assert.equal(code, ExitCode.ok);
    assert.match(
      stdout,
      /compared 30,001 = equal 30,000 \+ dead-lettered 1 \+ missing 0 \+ different 0 \+ changed 0/,
    );
    assert.match(stdout, /are equal/);
  });

  for (const [what, { sql, found }] of Object.entries(planted)) {
    it(`finds ${what}`, async () => {
      await sandbox.client.query(sql);
      const { code, summary } = await verify();
      assert.equal(code, ExitCode.different);
      assert.deepEqual(
        summary.differences.map(({ kind, id, columns }) => [kind, id, columns.map(({ column }) => column)]),
        found.map(([kind, id, column]) => [kind, id, column === undefined ? [] : [column]]),
      );
      for (const [index, [, , , values]] of found.entries()) {
        const shown = summary.differences[index]?.columns[0];
        if (values !== undefined) {
          assert.match(`${shown?.expected ?? 'NULL'}→${shown?.actual ?? 'NULL'}`, values);
        }
      }
      const count = (kind: string) => found.filter((entry) => entry[0] === kind).length;
      assert.deepEqual(
        [summary.missing, summary.different, summary.extra],
        [count('missing'), count('different'), count('extra') + count('doubled')],
      );
    });
  }

  it('names up to 100 differences, also if they are all in one batch', async () => {
    await sandbox.client.query(
      "UPDATE things SET text = 'x' WHERE _id BETWEEN 101 AND 120; DELETE FROM things WHERE _id BETWEEN 121 AND 137",
    );
    const { summary } = await verify();
    assert.deepEqual([summary.different, summary.missing], [20, 17]);
    assert.deepEqual(
      summary.differences.map(({ kind, id }) => `${kind} ${id}`),
      Array.from(
        { length: 37 },
        (_, index) => `${index < 20 ? 'different' : 'missing'} {"$numberInt":"${index + 101}"}`,
      ),
    );
  });

  it('counts all differences and names the first', async () => {
    await sandbox.client.query(
      "UPDATE things SET text = 'x' WHERE _id < 15000; DELETE FROM things WHERE _id > 27000",
    );
    const { summary } = await verify();
    assert.deepEqual([summary.different, summary.missing, summary.equal], [15_000, 2_999, 12_001]);
    assert.equal(summary.differences.length, 100);
  });

  it('compares a sample, and still counts all rows', async () => {
    const { code, summary } = await verify('--sample', '20%', '--items-per-page', '100');
    assert.equal(code, ExitCode.ok);
    assert.equal(summary.read, 30_001);
    assert.ok(summary.compared > 1_500 && summary.compared < 15_000, `compared ${summary.compared}`);
    await sandbox.client.query('DELETE FROM things WHERE _id = 1');
    assert.equal((await verify('--sample', '0.1%')).code, ExitCode.different);
  });

  it('reports documents that were changed in the source meanwhile as changed', async (t) => {
    const things = sandbox.db.collection('things');
    const kept = (await things.findOne({ _id: 3 as never })) ?? assert.fail();
    const replace = (document: typeof kept) => things.replaceOne({ _id: kept._id }, document);
    await sandbox.client.query("UPDATE things SET text = 'x' WHERE _id IN (3, 4)");
    // The first batch is compared, and its ack is not sent yet.
    const failpoints = await setFailpoints(t, { 'worker-before-ack': 'pause@1' });
    // With one reader, so that this batch has both.
    const verifying = run(['verify'], { ...failpoints.env, CLUSTER_SIZE: '1', READ_RANGES: '1' });
    await failpoints.waitUntilFired('worker-before-ack');
    await replace({ ...kept, text: 'new' });
    try {
      await failpoints.resume('worker-before-ack');
      const { code, stdout } = await verifying;
      assert.equal(code, ExitCode.different);
      assert.match(stdout, /missing 0 \+ different 1 \+ changed 1\n/);
      assert.match(stdout, /different: _id .*"4"/);
      assert.doesNotMatch(stdout, /_id .*"3"/);
    } finally {
      await replace(kept);
    }
  });

  it('counts each document once, also if workers crash', async (t) => {
    const failpoints = await setFailpoints(t, { 'worker-before-ack': 'kill@3' });
    const env = { ...failpoints.env, ITEMS_PER_PAGE: '1500', CLUSTER_IMPLEMENTATION: pool };
    const { code, stdout, stderr } = await run(['verify'], env);
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stderr, /a replacement is started/);
    assert.match(stdout, /compared 30,001 = equal 30,000 \+ dead-lettered 1 /);
  });

  it('runs after the load with --verify', async () => {
    const { code, stdout } = await run(['--if-exists', 'drop', '--verify'], { MONGO_COLLECTION: 'few' });
    assert.equal(code, ExitCode.source, 'there is no such collection yet');
    await sandbox.db.collection('few').insertMany([{ _id: 1 as never }, { _id: 'two' as never }]);
    const second = await run(['--verify'], { MONGO_COLLECTION: 'few' });
    assert.equal(second.code, ExitCode.ok, stdout);
    assert.match(second.stdout, /compared 2 = equal 2 \+/);
  });

  it('compares by keys of all types, whose order is not that of MongoDB', async () => {
    const texts = ['a', 'B', 'ä', 'Z', 'aa', '_', '10', '9', ''];
    const ids = {
      texts,
      mixed: [...texts, 1, 10, 9, -1, new Double(0.5), new Date(5), true, { a: 1 }, null],
    };
    for (const [collection, values] of Object.entries(ids)) {
      const documents = values.map((_id) => ({ _id: _id as never, text: JSON.stringify(_id) }));
      await sandbox.db.collection(collection).insertMany(documents);
      const env = { MONGO_COLLECTION: collection, ITEMS_PER_PAGE: '4' };
      assert.equal((await run([], env)).code, ExitCode.ok);
      await sandbox.client.query(`UPDATE ${collection} SET text = 'x' WHERE text = '"9"'`);
      const { stdout } = await run(['verify'], env);
      assert.match(stdout, new RegExp(`equal ${values.length - 1} .* missing 0 \\+ different 1 `));
      assert.match(stdout, /different: _id "9", column "text": .* in the document, "x" in PostgreSQL/);
    }
  });

  it('reports what it cannot compare', async () => {
    const unknown = await run(['verify'], { MONGO_COLLECTION: 'nothing' });
    assert.equal(unknown.code, ExitCode.usage);
    assert.match(unknown.stderr, /the ledger has no run of \w+\.nothing/);
  });
});
