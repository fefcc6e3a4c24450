import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BSON } from 'mongodb';
import { ExitCode } from '../../../src/common/errors.ts';
import { everyValue } from '../../support/bson-corpus.ts';
import { runCli } from '../../support/cli.ts';
import { dumpArchive, dumpBson, dumpMetadata, idIndex, prelude } from '../../support/dump.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

const { deserialize, EJSON } = BSON;
const count = 300;

const indexes = [
  idIndex,
  { v: 2, key: { text: 1, number: -1 }, name: 'text_1_number_-1' },
  { v: 2, unique: true, key: { number: 1 }, name: 'number', partialFilterExpression: { number: { $gt: 0 } } },
  { v: 2, key: { place: '2dsphere' }, name: 'place' },
];

describe('dumps', () => {
  let sandbox: Sandbox;
  let folder: string;
  let raw: Buffer[];
  let dump: string;

  before(async () => {
    sandbox = await createSandbox();
    folder = await mkdtemp(join(tmpdir(), 'mongo2pg-dumps-'));
    dump = join(folder, 'dump');
    const things = sandbox.db.collection('things');
    const documents = Array.from({ length: count }, (_, index) => {
      const value = everyValue[index];
      const typed = index < everyValue.length ? { value, nested: { value, list: [value] } } : {};
      return { _id: index as never, text: `text ${index}`, number: index, ...typed };
    });
    await things.insertMany(documents, { ignoreUndefined: false });
    raw = (await things.find({}, { raw: true }).sort({ _id: -1 }).toArray()) as unknown as Buffer[];
    await sandbox.db.command({ createIndexes: 'things', indexes: indexes.slice(1) });
    const copied = await run({ MONGO_COLLECTION: 'things', POSTGRES_SCHEMA: 'server' });
    assert.equal(copied.code, ExitCode.ok, copied.stderr);
    await writeFolder();
  });
  after(async () => {
    await rm(folder, { recursive: true });
    await sandbox.remove();
  });

  /** As `mongodump` writes it, with the other files beside the collections. */
  async function writeFolder(): Promise<void> {
    await mkdir(join(dump, 'school'), { recursive: true });
    const metadata = dumpMetadata('things', { indexes });
    const files: Record<string, string | Buffer> = {
      'prelude.json': prelude,
      'oplog.bson': dumpBson([{ ts: 1 }]),
      'school/things.bson': dumpBson(raw),
      'school/things.metadata.json': metadata,
      'school/zipped%2Fthings.bson.gz': gzipSync(dumpBson(raw)),
      'school/zipped%2Fthings.metadata.json.gz': gzipSync(metadata),
      'school/old.bson': dumpBson(raw.slice(0, 10)),
      // Version 1, as mongodump wrote it before 4.2.
      'school/old.metadata.json': JSON.stringify({
        options: { validator: { $jsonSchema: { required: ['text'] } } },
        indexes: [
          { v: 1, key: { _id: 1 }, name: '_id_', ns: 'school.old' },
          { v: 1, key: { number: -1 }, name: 'n', sparse: true },
        ],
      }),
      'school/empty.bson': '',
      'school/seen.metadata.json': dumpMetadata('seen', { options: { viewOn: 'things', pipeline: [] } }),
      'school/system.buckets.measured.bson': dumpBson([{ _id: 1 }]),
      'school/measured.metadata.json': dumpMetadata('measured', {
        options: { timeseries: { timeField: 't' } },
      }),
      'school/$admin.system.users.bson': dumpBson([{ _id: 'admin.root' }]),
    };
    for (const [name, content] of Object.entries(files)) await writeFile(join(dump, name), content);
  }

  /** Against the server unless `SOURCE` is among the settings. */
  async function run(env: Record<string, string>, ...args: string[]) {
    const { POSTGRES_URL = '', ...mongo } = sandbox.env;
    return await runCli(args, {
      POSTGRES_URL,
      ...('SOURCE' in env ? {} : mongo),
      CLUSTER_SIZE: '2',
      ITEMS_PER_PAGE: '40',
      ...(args[0] === 'verify' ? {} : { JSON_STYLE: 'canonical' }),
      ...env,
    });
  }

  async function readRows(schema: string, table: string): Promise<unknown[]> {
    const { rows } = await sandbox.client.query<Record<string, unknown>>(
      `SELECT * FROM "${schema}"."${table}" ORDER BY _id`,
    );
    return rows;
  }

  async function readIndexes(schema: string, table: string): Promise<string[]> {
    const { rows } = await sandbox.client.query<{ definition: string }>(
      'SELECT indexdef AS definition FROM pg_indexes WHERE schemaname = $1 AND tablename = $2 ORDER BY 1',
      [schema, table],
    );
    return rows.map(({ definition }) =>
      definition.replaceAll(schema, 'schema').replaceAll(table, 'things').replaceAll('"', ''),
    );
  }

  async function assertAsFromServer(schema: string, table: string): Promise<void> {
    const rows = await readRows(schema, table);
    assert.equal(rows.length, count);
    assert.deepEqual(rows, await readRows('server', 'things'), table);
  }

  it('skips a file whose name contains U+0000, and copies the others', async () => {
    const place = join(folder, 'nul');
    await mkdir(place);
    for (const name of ['a%00b.bson', 'few.bson']) {
      await writeFile(join(place, name), dumpBson(raw.slice(0, 3)));
    }
    const { code, stderr } = await run({ SOURCE: place, POSTGRES_SCHEMA: 'nul' });
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stderr, /nul\.a\0b is skipped: a collection whose name has U\+0000/);
    assert.equal((await readRows('nul', 'few')).length, 3);
  });

  it('a folder of mongodump: equal to a copy from the server, with its indexes', async () => {
    const { code, stdout, stderr } = await run({ SOURCE: dump, POSTGRES_SCHEMA: 'folder' });
    assert.equal(code, ExitCode.ok, stderr);
    await assertAsFromServer('folder', 'things');
    await assertAsFromServer('folder', 'zipped/things');
    assert.equal((await readRows('folder', 'old')).length, 10);
    for (const table of ['things', 'zipped/things']) {
      assert.deepEqual(await readIndexes('folder', table), await readIndexes('server', 'things'));
    }
    assert.equal((await readIndexes('folder', 'old')).length, 2);
    assert.match(stdout, /place: .*a geospatial index|a geospatial index/);
    assert.match(stderr, /school\.seen is skipped: a view/);
    assert.match(stderr, /school\.measured is skipped: a time-series collection/);
    assert.match(stderr, /skipped: the dump has no documents of school\.empty/);
    const { rows } = await sandbox.client.query("SELECT FROM pg_tables WHERE schemaname = 'folder'");
    assert.equal(rows.length, 3);
  });

  it('verify reads it again, and names what differs', async () => {
    const env = { SOURCE: dump, MONGO_COLLECTION: 'things', POSTGRES_SCHEMA: 'folder' };
    assert.equal((await run(env, 'verify')).code, ExitCode.ok);
    await sandbox.client.query(
      `UPDATE folder.things SET text = 'other' WHERE _id = 7; DELETE FROM folder.things WHERE _id = 8;
       INSERT INTO folder.things (_id, number) VALUES (1000, 1000)`,
    );
    const { code, stdout } = await run(env, 'verify');
    assert.equal(code, ExitCode.different);
    assert.match(
      stdout,
      /compared 300 = equal 298 \+ dead-lettered 0 \+ missing 1 \+ different 1 \+ changed 0/,
    );
    assert.match(stdout, /missing: no row for _id .*"8"/);
    assert.match(stdout, /different: _id .*"7".*, column "text": "text 7" .*, "other" in PostgreSQL/);
    assert.match(stdout, /extra: no document for the row with the key 1000/);
  });

  it('an archive of interleaved collections, gzip', async () => {
    const path = join(folder, 'all.archive');
    const parts = ['one', 'two'].map((collection) => ({
      collection,
      documents: raw,
      metadata: dumpMetadata(collection, { indexes }),
    }));
    await writeFile(path, gzipSync(dumpArchive(parts)));
    const { code, stderr } = await run({ SOURCE: path, POSTGRES_SCHEMA: 'archive' }, '--verify');
    assert.equal(code, ExitCode.ok, stderr);
    for (const table of ['one', 'two']) await assertAsFromServer('archive', table);
    assert.equal(
      (await readIndexes('archive', 'one')).length,
      (await readIndexes('server', 'things')).length,
    );
  });

  it('JSON of mongoexport: lines, an array, gzip', async () => {
    const exports = join(folder, 'exports');
    await mkdir(exports);
    const texts = raw.map((document) =>
      EJSON.stringify(deserialize(document, { promoteValues: false, bsonRegExp: true }), { relaxed: false }),
    );
    await writeFile(join(exports, 'lines.json'), texts.join('\n'));
    await writeFile(join(exports, 'array.json'), `[${texts.join(',\n')}]`);
    await writeFile(join(exports, 'zipped.jsonl.gz'), gzipSync(texts.join('\n')));
    const { code, stderr } = await run({ SOURCE: exports, POSTGRES_SCHEMA: 'json' }, '--verify');
    assert.equal(code, ExitCode.ok, stderr);
    for (const table of ['lines', 'array', 'zipped']) await assertAsFromServer('json', table);
  });

  it('with a filter: equal to a copy from the server, also for verify', async () => {
    const filter = JSON.stringify({
      $or: [
        { number: { $gte: 250 } },
        { 'nested.list': { $exists: true }, value: { $not: { $type: ['string', 'array'] } } },
        { text: { $regex: '^TEXT .*[13579]$', $options: 'i' }, number: { $nin: [9, 99, 101] } },
      ],
    });
    const env = { MONGO_COLLECTION: 'things', FILTER: filter };
    const copied = await run({ ...env, POSTGRES_SCHEMA: 'server_filter' });
    assert.equal(copied.code, ExitCode.ok, copied.stderr);
    const expected = await readRows('server_filter', 'things');
    assert.ok(expected.length > 150 && expected.length < count);

    const fromDump = { ...env, SOURCE: dump, POSTGRES_SCHEMA: 'filter' };
    const { code, stdout, stderr } = await run(fromDump, '--verify');
    assert.equal(code, ExitCode.ok, stderr);
    assert.match(stdout, new RegExp(`read ${expected.length} = copied ${expected.length} `));
    assert.deepEqual(await readRows('filter', 'things'), expected);
    const lines = join(folder, 'exports', 'lines.json');
    const fromJson = await run({ ...fromDump, SOURCE: lines, POSTGRES_SCHEMA: 'json_filter' });
    assert.equal(fromJson.code, ExitCode.ok, fromJson.stderr);
    assert.deepEqual(await readRows('json_filter', 'things'), expected);

    // The dump has such a document, and the filter excludes it.
    await sandbox.client.query('INSERT INTO filter.things (_id, number) VALUES (200, 200)');
    const verified = await run(
      { SOURCE: dump, MONGO_COLLECTION: 'things', POSTGRES_SCHEMA: 'filter' },
      'verify',
    );
    assert.equal(verified.code, ExitCode.different);
    assert.match(verified.stdout, new RegExp(`compared ${expected.length} = equal ${expected.length} `));
    assert.match(verified.stdout, /extra: no document for the row with the key 200/);
  });

  it('with a filter that only a server supports: refused, and nothing is written', async () => {
    const env = {
      SOURCE: dump,
      FILTER: '{"nested": {"$elemMatch": {"value": 1}}}',
      POSTGRES_SCHEMA: 'refused',
    };
    const { code, stderr } = await run(env);
    assert.equal(code, ExitCode.usage);
    assert.match(
      stderr,
      /FILTER cannot be applied to a dump: the operator \$elemMatch is not supported, at "nested"/,
    );
    const { rows } = await sandbox.client.query("SELECT to_regnamespace('refused') AS found");
    assert.deepEqual(rows, [{ found: null }]);
  });

  it('a truncated one: the part before is loaded; a complete one is a different dump, for --restart', async () => {
    const path = join(folder, 'cut.bson');
    await writeFile(path, dumpBson(raw));
    const { length } = await readFile(path);
    await truncate(path, length - 10);
    const env = { SOURCE: path, POSTGRES_SCHEMA: 'cut' };
    for (let time = 0; time < 2; time++) {
      const { code, stderr } = await run(env);
      assert.equal(code, ExitCode.source);
      assert.match(
        stderr,
        /cut\.bson is cut off at byte [\d,]+, within the document that begins at byte [\d,]+/,
      );
      assert.match(stderr, /start from scratch with --restart\. 299 documents are committed\./);
      assert.doesNotMatch(stderr, /the same command/);
    }
    assert.equal((await readRows('cut', 'cut')).length, count - 1);

    await writeFile(path, dumpBson(raw));
    const other = await run(env);
    assert.equal(other.code, ExitCode.usage);
    assert.match(other.stderr, /the dump of .*\.cut is not the one that the run was reading/);
    assert.equal((await run(env, '--restart')).code, ExitCode.ok);
    await assertAsFromServer('cut', 'cut');
  });

  it('two documents with one _id: all are loaded, and the key fails with their _id', async () => {
    const path = join(folder, 'doubled.json');
    const lines = ['{"_id":1}', '{"_id":2,"a":1}', '{"_id":2,"a":2}', '{"_id":3}', '{"_id":2}'];
    await writeFile(path, lines.join('\n'));
    const { code, stderr } = await run({ SOURCE: path, POSTGRES_SCHEMA: 'doubled' });
    assert.equal(code, ExitCode.target, stderr);
    assert.match(stderr, /1 value of _id in several rows: 2 \(3 times\)/);
    assert.match(stderr, /5 documents are committed/);
    assert.equal((await readRows('doubled', 'doubled')).length, lines.length);

    await sandbox.client.query('CREATE SCHEMA own; CREATE TABLE own.doubled (_id int, a int)');
    const inOwn = await run({ SOURCE: path, POSTGRES_SCHEMA: 'own' });
    assert.equal(inOwn.code, ExitCode.ok, inOwn.stderr);
    assert.equal((await readRows('own', 'doubled')).length, lines.length);
  });

  it('a document without an _id becomes a dead letter', async () => {
    const path = join(folder, 'bare.json');
    await writeFile(path, '{"_id":1,"a":1}\n{"a":2}\n{"_id":3,"a":3}\n');
    const { code, stdout } = await run({ SOURCE: path, POSTGRES_SCHEMA: 'bare' });
    assert.equal(code, ExitCode.deadLetters, stdout);
    assert.match(stdout, /read 3 = copied 2 \+ dead-lettered 1/);
  });

  it('plan, dry run and count need no server', async () => {
    const env = { SOURCE: join(dump, 'school', 'old.bson'), POSTGRES_SCHEMA: 'looked_at' };
    const planned = await run(env, 'plan', '--required-not-null');
    assert.equal(planned.code, ExitCode.ok, planned.stderr);
    assert.match(planned.stdout, /"column": "text"/);
    assert.match(planned.stderr, /"text" text NOT NULL/);
    const { code, stdout } = await run(env, '--dry-run');
    assert.equal(code, ExitCode.ok);
    assert.match(stdout, /school\.old/);
    assert.match(stdout, /10 documents/);
  });
});
