import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { everyValue } from '../../support/bson-corpus.ts';
import { runCli } from '../../support/cli.ts';
import { lacksMongoTools, runMongoTool } from '../../support/mongo-tools.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';

const count = 500;
const skip = lacksMongoTools() || lacking('allTypes');

/** Like `dumps.test.ts`, which writes dumps by their published formats, and needs no tools. */
describe("dumps of MongoDB's own tools", { skip }, () => {
  let sandbox: Sandbox;
  let folder: string;

  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-real-dumps-'));
    const { db } = sandbox;
    const documents = Array.from({ length: count }, (_, index) => {
      const value = everyValue[index];
      const typed = index < everyValue.length ? { value, list: [value] } : {};
      return { _id: index as never, text: `text ${index}`, number: index, ...typed };
    });
    await db.collection('things').insertMany(documents, { ignoreUndefined: false });
    await db.collection('things').createIndex({ text: 1, number: -1 });
    await db.collection('others').insertMany([{ _id: 'a' as never }, { _id: 'b' as never }]);
    await db.createCollection('seen', { viewOn: 'things', pipeline: [] });
    const copied = await run({
      ...sandbox.env,
      MONGO_COLLECTION: 'things,others',
      POSTGRES_SCHEMA: 'server',
    });
    assert.equal(copied.code, ExitCode.ok, copied.stderr);
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });

  async function run(env: Record<string, string>, ...args: string[]) {
    return await runCli(args, {
      POSTGRES_URL: sandbox.postgresUrl,
      CLUSTER_IMPLEMENTATION: 'inline',
      CLUSTER_SIZE: '1',
      ITEMS_PER_PAGE: '40',
      JSON_STYLE: 'canonical',
      ...env,
    });
  }

  async function readTable(schema: string, table: string): Promise<unknown> {
    const { rows } = await sandbox.client.query(`SELECT * FROM "${schema}"."${table}" ORDER BY _id`);
    const { rows: indexes } = await sandbox.client.query<{ definition: string }>(
      'SELECT indexdef AS definition FROM pg_indexes WHERE schemaname = $1 AND tablename = $2 ORDER BY 1',
      [schema, table],
    );
    return { rows, indexes: indexes.map(({ definition }) => definition.replace(`${schema}.`, '')) };
  }

  async function assertAsFromServer(
    source: string,
    schema: string,
    tables: readonly string[],
  ): Promise<void> {
    const { code, stderr } = await run({ SOURCE: source, POSTGRES_SCHEMA: schema }, '--verify');
    assert.equal(code, ExitCode.ok, stderr);
    for (const table of tables) {
      assert.deepEqual(await readTable(schema, table), await readTable('server', table), table);
    }
  }

  const dump = (...args: string[]): Promise<void> =>
    runMongoTool('mongodump', '--quiet', '--uri', mongoUrl, '--db', sandbox.mongoDb, ...args);

  for (const [what, args] of [
    ['a folder', ['--out']],
    ['a folder, gzip', ['--gzip', '--out']],
    ['an archive', ['--archive']],
    ['an archive, gzip', ['--gzip', '--archive']],
  ] as const) {
    const schema = what.replaceAll(/\W+/g, '_');
    it(`mongodump: ${what}`, async () => {
      const path = join(folder, schema);
      const last = args.at(-1) === '--archive' ? [`--archive=${path}`] : ['--out', path];
      await dump(...args.slice(0, -1), ...last);
      await assertAsFromServer(path, schema, ['things', 'others']);
    });
  }

  it('mongodump with a query: the selected documents', async () => {
    const path = join(folder, 'chosen');
    await dump('--collection', 'things', '--query', '{"number": {"$lt": 10}}', '--out', path);
    const { code, stdout } = await run({ SOURCE: path, POSTGRES_SCHEMA: 'chosen' }, '--verify');
    assert.equal(code, ExitCode.ok);
    assert.match(stdout, /read 10 = copied 10 /);
  });

  for (const [what, args] of [
    ['lines', []],
    ['an array', ['--jsonArray']],
    ['pretty', ['--pretty']],
    ['a pretty array', ['--jsonArray', '--pretty']],
  ] as const) {
    it(`mongoexport: ${what}`, async () => {
      const schema = `json_${what.replaceAll(' ', '_')}`;
      const path = join(folder, schema, 'things.json');
      await runMongoTool(
        'mongoexport',
        ...['--quiet', '--uri', mongoUrl, '--db', sandbox.mongoDb, '--collection', 'things'],
        ...['--jsonFormat', 'canonical', ...args, '--out', path],
      );
      const { code, stderr } = await run({ SOURCE: path, POSTGRES_SCHEMA: schema }, '--verify');
      assert.equal(code, ExitCode.ok, stderr);
      const [fromJson, fromServer] = await Promise.all([
        readTable(schema, 'things'),
        readTable('server', 'things'),
      ]);
      // JSON has no indexes.
      assert.deepEqual((fromJson as { rows: unknown }).rows, (fromServer as { rows: unknown }).rows);
    });
  }

  it('mongorestore restores what was dumped', async () => {
    const path = join(folder, 'restored');
    await dump('--out', path);
    const back = `${sandbox.mongoDb}_back`;
    const names = ['--nsFrom', `${sandbox.mongoDb}.*`, '--nsTo', `${back}.*`];
    await runMongoTool('mongorestore', '--quiet', '--uri', mongoUrl, ...names, path);
    const { client } = sandbox.db;
    try {
      const env = {
        ...sandbox.env,
        MONGO_DB: back,
        MONGO_COLLECTION: 'things,others',
        POSTGRES_SCHEMA: 'restored',
      };
      const { code, stderr } = await run(env, '--verify');
      assert.equal(code, ExitCode.ok, stderr);
      for (const table of ['things', 'others']) {
        assert.deepEqual(await readTable('restored', table), await readTable('server', table), table);
      }
    } finally {
      await client.db(back).dropDatabase();
    }
  });
});
