/** The comparison that all fault tests end with must see every kind of difference. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Double, Long, ObjectId, serialize, type Document } from 'bson';
import { assertEqualTable, type CompareOptions } from '../../support/compare.ts';
import { runCli } from '../../support/cli.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const documents: Document[] = [
  { _id: 1, text: 'one', whole: 1, at: new Date(1), nested: { b: [1, { c: 'x' }], at: new Date(2) } },
  { _id: 2, text: null, whole: 2, big: Long.MAX_VALUE, half: new Double(0.5), is: true },
  { _id: 3, text: 'three', whole: 3, oid: new ObjectId('0123456789abcdef01234567') },
];

describe('assertEqualTable', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    await sandbox.db.collection('things').insertMany(documents);
  });
  after(async () => {
    await sandbox.remove();
  });
  beforeEach(async () => {
    await sandbox.client.query(`
      DROP TABLE IF EXISTS things;
      DROP SCHEMA IF EXISTS mongo2pg CASCADE;
      CREATE TABLE things (_id integer, text text, whole integer, at timestamptz, nested jsonb, big bigint,
                           half double precision, oid text, _extra jsonb);
      INSERT INTO things VALUES
        (1, 'one', 1, '1970-01-01 00:00:00.001Z',
         '{"at": {"$date": "1970-01-01T00:00:00.002Z"}, "b": [1, {"c": "x"}]}', NULL, NULL, NULL, NULL),
        (2, NULL, 2, NULL, NULL, 9223372036854775807, 0.5, NULL, '{"is": true}'),
        (3, 'three', 3, NULL, NULL, NULL, NULL, '0123456789abcdef01234567', NULL);
      CREATE SCHEMA mongo2pg;
      CREATE TABLE mongo2pg.dead_letters (collection text, document bytea)`);
  });

  async function check(options: CompareOptions = {}): Promise<void> {
    await assertEqualTable(sandbox.db.collection('things'), sandbox.client, 'things', options);
  }

  async function addLetter(document: Document): Promise<void> {
    await sandbox.client.query('INSERT INTO mongo2pg.dead_letters VALUES ($1, $2)', [
      `${sandbox.mongoDb}.things`,
      serialize(document),
    ]);
  }

  it('accepts equal tables', async () => {
    await check();
  });

  const changes = {
    'a missing row': ['DELETE FROM things WHERE _id = 2', /1 places:\n {2}missing: no row with _id .*2/],
    'a row without a document': [
      "INSERT INTO things VALUES (4, 'four')",
      /extra: a row with _id 4 of no document/,
    ],
    'a duplicate row': [
      'INSERT INTO things SELECT * FROM things WHERE _id = 3',
      /doubled: a second row with _id 3/,
    ],
    'another text': ["UPDATE things SET text = 'x' WHERE _id = 1", /_id 1: text is "x" and not "one"/],
    'a lost value': ['UPDATE things SET whole = NULL WHERE _id = 1', /_id 1: whole is null and not 1/],
    'a value without a field': [
      "UPDATE things SET text = '' WHERE _id = 2",
      /_id 2: text is "" and not null/,
    ],
    'another date': ['UPDATE things SET at = now() WHERE _id = 1', /_id 1: at is/],
    'a bigint off by one': ['UPDATE things SET big = big - 1 WHERE _id = 2', /_id 2: big is/],
    'another nested value': [
      `UPDATE things SET nested = jsonb_set(nested, '{b,1,c}', '"y"') WHERE _id = 1`,
      /_id 1: nested is/,
    ],
    'a value lost from _extra': ['UPDATE things SET _extra = NULL WHERE _id = 2', /_id 2: is is undefined/],
    'a surplus value in _extra': [
      `UPDATE things SET _extra = '{"more": 1}' WHERE _id = 3`,
      /_id 3: more is 1/,
    ],
    'a value in both places': [
      `UPDATE things SET _extra = '{"whole": 3}' WHERE _id = 3`,
      /_id 3: whole has a column and stands in _extra too/,
    ],
  } as const;
  for (const [what, [sql, message]] of Object.entries(changes)) {
    it(`sees ${what}`, async () => {
      await sandbox.client.query(sql);
      await assert.rejects(check(), { name: 'AssertionError', message });
    });
  }

  it('checks dead letters: once each, whole, and no rows', async () => {
    const options = { deadLetters: [2] };
    await assert.rejects(
      check(options),
      /a row with _id 2, which is to be a dead letter\n.*no dead letter with _id/,
    );
    await sandbox.client.query('DELETE FROM things WHERE _id = 2');
    const [, document = {}] = documents;
    await addLetter(document);
    await check(options);
    await assert.rejects(check(), /missing: no row with _id .*2.*\n.*extra: a dead letter with _id .*2/);
    await addLetter(document);
    await assert.rejects(check(options), /doubled: a second dead letter/);
    await sandbox.client.query('DELETE FROM mongo2pg.dead_letters');
    await addLetter({ ...document, whole: 3 });
    await assert.rejects(check(options), /is not the document/);
  });

  it('shows the first differences, and counts the others', async () => {
    await sandbox.client.query('INSERT INTO things SELECT generate_series(10, 19)');
    await assert.rejects(check(), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /differ in 10 places:/);
      assert.match(error.message, /… and 5 more$/);
      return error.message.split('\n').length === 7;
    });
  });

  it('accepts the table of a real run, with any ids', async () => {
    const ids = [1, 'two', new ObjectId(), new Date(3), null, { a: 1 }];
    const mixed = sandbox.db.collection<{ _id: unknown }>('mixed');
    await mixed.insertMany(documents.map((document, index) => ({ ...document, _id: ids[index] })));
    await mixed.insertMany(ids.slice(documents.length).map((_id) => ({ _id, text: 'more' })));
    await sandbox.client.query('DROP SCHEMA mongo2pg CASCADE');
    const { code, stderr } = await runCli([], {
      ...sandbox.env,
      MONGO_COLLECTION: 'mixed',
      CLUSTER_SIZE: '1',
    });
    assert.equal(code, 0, stderr);
    await assertEqualTable(sandbox.db.collection('mixed'), sandbox.client, 'mixed');
  });
});
