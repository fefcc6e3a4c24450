import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { BSON, MongoServerError, type Document } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { corpus, everyValue, isRare } from '../../support/bson-corpus.ts';
import { runCli } from '../../support/cli.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';
import type { ColumnType } from '../../../src/transcode/column-types/names.ts';
import { columnTypes } from '../../../src/transcode/column-types/registry.ts';

const { EJSON } = BSON;
const canonical = (value: unknown): unknown => JSON.parse(EJSON.stringify(value, { relaxed: false }));

describe('every type of BSON, with its edge values', () => {
  let sandbox: Sandbox;
  let folder: string;
  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-types-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });

  async function migrate(collection: string, documents: Document[], plan: object | null, ...args: string[]) {
    await sandbox.db.collection(collection).insertMany(documents, { ignoreUndefined: false });
    const path = join(folder, `${collection}.json`);
    if (plan !== null) await writeFile(path, JSON.stringify(plan));
    const env = { ...sandbox.env, MONGO_COLLECTION: collection, CLUSTER_SIZE: '1' };
    const result = await runCli([...(plan === null ? [] : ['--plan', path]), ...args], env);
    return { ...result, verify: () => runCli(['verify'], env) };
  }

  const copiedTypes: string[] = [];
  for (const [type, edges] of Object.entries(corpus)) {
    const skip = edges.some(({ value }) => isRare(value)) && lacking('allTypes');
    if (skip === false) copiedTypes.push(type);
    it(`in a column of type ${type}`, { skip }, async () => {
      const documents = edges.map(({ value }, index) => ({ _id: index as never, v: value }));
      const plan = {
        columns: [
          { column: '_id', path: '_id', type: 'int32' },
          { column: 'v', path: 'v', type },
        ],
        jsonStyle: 'canonical',
      };
      const letters = edges.filter(({ shown }) => shown === 'letter').length;
      const run = await migrate(`column_${type}`, documents, plan);
      assert.equal(run.code, letters > 0 ? ExitCode.deadLetters : ExitCode.ok, run.stderr);

      const { rows } = await sandbox.client.query<{ _id: number; v: string | null; extra: unknown }>(
        `SELECT _id, v::text AS v, _extra -> 'v' AS extra FROM "column_${type}" ORDER BY _id`,
      );
      const found = new Map(rows.map((row) => [row._id, row]));
      for (const [index, { what, value, shown }] of edges.entries()) {
        const row = found.get(index);
        if (shown === 'letter') {
          assert.equal(row, undefined, what);
        } else if (shown === '_extra') {
          assert.deepEqual([row?.v, row?.extra], [null, canonical(value)], what);
        } else {
          assert.deepEqual([row?.v, row?.extra], [shown, null], what);
        }
      }
      const { rows: column } = await sandbox.client.query<{ type: string }>(
        `SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
          WHERE attrelid = '"column_${type}"'::regclass AND attname = 'v'`,
      );
      assert.equal(column[0]?.type, columnTypes[type as ColumnType].sql);
    });
  }

  it('in columns of all types: verify finds no difference', async () => {
    const { code, stdout } = await runCli(['verify', '--json'], {
      ...sandbox.env,
      MONGO_COLLECTION: 'column_*',
      CLUSTER_SIZE: '1',
    });
    assert.equal(code, ExitCode.ok, stdout);
    const verified = [...stdout.matchAll(/"kind":"verified".*?"source":"\w+\.(\w+)"/g)];
    assert.deepEqual(
      verified.map(([, name]) => name).sort(),
      copiedTypes.map((type) => `column_${type}`).sort(),
    );
  });

  const skip = lacking('allTypes');

  it(
    'in documents and arrays: canonical jsonb can be converted back to the same document',
    { skip },
    async () => {
      const documents = everyValue.map((value, index) => ({
        _id: index as never,
        nested: { v: value, deeper: [{ v: value }] },
        list: [value, value],
      }));
      const run = await migrate('nested', documents, null, '--json-style', 'canonical');
      assert.equal(run.code, ExitCode.ok, run.stderr);
      const { rows } = await sandbox.client.query<{ _id: number; nested: string; list: string }>(
        'SELECT _id, nested::text AS nested, list::text AS list FROM nested ORDER BY _id',
      );
      assert.equal(rows.length, documents.length);
      for (const { _id, nested, list } of rows) {
        const document = documents[_id];
        assert.deepEqual(JSON.parse(nested), canonical(document?.nested), `value ${_id}`);
        assert.deepEqual(JSON.parse(list), canonical(document?.list), `value ${_id}`);
      }
      assert.equal((await run.verify()).code, ExitCode.ok);
    },
  );

  for (const style of ['relaxed', 'plain']) {
    it(`in jsonb of style ${style}: verify finds no difference`, { skip }, async () => {
      const documents = everyValue.map((value, index) => ({ _id: index as never, nested: { v: value } }));
      const run = await migrate(`style_${style}`, documents, null, '--json-style', style);
      assert.equal(run.code, ExitCode.ok, run.stderr);
      const { code, stdout } = await run.verify();
      assert.equal(code, ExitCode.ok, stdout);
    });
  }

  it('as _id: each is a separate row', { skip }, async () => {
    const keys = new Map<string, unknown>();
    for (const value of everyValue) {
      // Values that are equal for MongoDB, or not allowed in an _id.
      const key = Number.isNaN(Number(value)) || typeof value === 'object' ? '' : `n${Number(value)}`;
      if (Array.isArray(value) || value instanceof BSON.BSONRegExp) continue;
      keys.set(key === '' ? EJSON.stringify(value, { relaxed: false }) : key, value);
    }
    const ids = [...keys.values()].filter((value) => !(value instanceof BSON.DBRef));
    const collection = sandbox.db.collection('ids');
    const kept: unknown[] = [];
    for (const [index, _id] of ids.entries()) {
      try {
        await collection.insertOne({ _id: _id as never, index });
        kept.push(_id);
      } catch (error) {
        // An equal number already exists, or it is a document that MongoDB has in no _id.
        const duplicateKey = 11000;
        const dollarPrefixedFieldName = 52;
        assert.ok(error instanceof MongoServerError, String(error));
        assert.ok([duplicateKey, dollarPrefixedFieldName].includes(Number(error.code)), error.message);
      }
    }
    assert.ok(kept.length > 50);
    const env = { ...sandbox.env, MONGO_COLLECTION: 'ids', CLUSTER_SIZE: '2', ITEMS_PER_PAGE: '3' };
    const run = await runCli([], env);
    assert.equal(run.code, ExitCode.ok, run.stderr);
    assert.match(run.stdout, new RegExp(`read ${kept.length} = copied ${kept.length} `));
    const verified = await runCli(['verify'], env);
    assert.equal(verified.code, ExitCode.ok, verified.stdout);
  });

  for (const [nul, shown] of [
    ['strip', 'NUL'],
    ['replace', 'N\ufffdUL'],
  ] as const) {
    it(`U+0000 with --nul ${nul}: in columns, in jsonb, and never in the text \\u0000`, async () => {
      const text = String.raw`N${'\0'}UL \u0000`;
      const run = await migrate(
        `nul_${nul}`,
        [{ _id: 1 as never, text, nested: { text } }],
        null,
        '--nul',
        nul,
      );
      assert.equal(run.code, ExitCode.ok, run.stderr);
      const { rows } = await sandbox.client.query<{ text: string; nested: { text: string } }>(
        `SELECT text, nested FROM nul_${nul}`,
      );
      const expected = String.raw`${shown} \u0000`;
      assert.deepEqual(rows, [{ text: expected, nested: { text: expected } }]);
      assert.equal((await run.verify()).code, ExitCode.ok);
    });
  }
});
