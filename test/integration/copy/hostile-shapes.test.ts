import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { runCli } from '../../support/cli.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

/** Each with a query on its table, and the expected answer. */
const shapes: readonly {
  readonly what: string;
  readonly documents: () => Document[];
  readonly sql: string;
  readonly answer: unknown;
  readonly needsSample?: true;
}[] = [
  {
    what: 'names of 70 bytes that are equal in the first 63',
    documents: () => [{ _id: 1, [`${'n'.repeat(69)}1`]: 1, [`${'n'.repeat(69)}2`]: 2 }],
    sql: `SELECT array_agg(value ORDER BY value) FROM shape, jsonb_each_text(to_jsonb(shape)) WHERE key LIKE 'nnn%'`,
    answer: ['1', '2'],
  },
  {
    what: '2,000 distinct fields',
    documents: () => [
      { _id: 1, ...Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`f${index}`, index])) },
    ],
    sql: `SELECT (SELECT count(*)::int FROM jsonb_object_keys(_extra)) + (
            SELECT count(*)::int FROM jsonb_each(to_jsonb(shape) - '_extra' - '_id') WHERE value <> 'null') FROM shape`,
    answer: 2_000,
  },
  {
    what: 'documents 100 levels deep',
    documents: () => {
      let nested: Document = { end: 'here' };
      for (let level = 0; level < 98; level++) nested = { down: nested };
      return [{ _id: 1, nested }];
    },
    sql: `SELECT nested #>> array_append(array_fill('down'::text, ARRAY[98]), 'end') FROM shape`,
    answer: 'here',
  },
  {
    what: 'a document of almost 16 MB',
    documents: () => [{ _id: 1, text: 'x'.repeat(16_777_216 - 200) }],
    sql: 'SELECT length(text) FROM shape',
    answer: 16_777_216 - 200,
  },
  {
    what: 'a type that flips, and a field first met, in the last document',
    documents: () => [
      ...Array.from({ length: 20_000 }, (_, index) => ({ _id: index, n: index })),
      { _id: 20_000, n: 'twenty thousand', late: [1] },
    ],
    sql: 'SELECT _extra FROM shape WHERE _id = 20000 AND n IS NULL',
    answer: { n: 'twenty thousand', late: [1] },
    // A sample of both ends of the collection would include the last document.
    needsSample: true,
  },
  {
    what: '50,000 documents of nothing but an _id',
    documents: () => Array.from({ length: 50_000 }, (_, _id) => ({ _id })),
    sql: 'SELECT count(DISTINCT _id)::int FROM shape',
    answer: 50_000,
  },
  {
    what: 'columns that differ in case only',
    documents: () => [{ _id: 1, Name: 'upper', name: 'lower', NAME: 'all' }],
    sql: `SELECT ARRAY["Name", name, "NAME"] FROM shape`,
    answer: ['upper', 'lower', 'all'],
  },
  {
    what: 'a field with the name of the extra column',
    documents: () => [{ _id: 1, _extra: 'mine' }],
    sql: 'SELECT _extra FROM shape',
    answer: 'mine',
  },
];

describe('shapes of documents that do not fit a table', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
  });
  after(async () => {
    await sandbox.remove();
  });

  for (const { what, documents, sql, answer, needsSample } of shapes) {
    it(what, { skip: needsSample === true && lacking('sample') }, async () => {
      const collection = sandbox.db.collection('shape');
      await collection.drop();
      await collection.insertMany(documents());
      // The sample does not see the last document, as it would not in a large collection.
      const env = { ...sandbox.env, MONGO_COLLECTION: 'shape', CLUSTER_SIZE: '2', SAMPLE_SIZE: '50' };
      const run = await runCli(['--if-exists', 'drop', '--verify'], env);
      assert.equal(run.code, ExitCode.ok, `${run.stderr}${run.stdout}`);
      const { rows } = await sandbox.client.query<Record<string, unknown>>(sql);
      assert.deepEqual(Object.values(rows[0] ?? {})[0], answer);
    });
  }
});
