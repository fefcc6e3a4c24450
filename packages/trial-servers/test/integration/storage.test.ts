/** What the embedded MongoDB server keeps in its data directory, over restarts, crashes and damage. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import type { CollectionInfo, Db, Document } from 'mongodb';
import { startMongoServer } from '../../src/mongo/server.ts';
import { SourceError } from '../../../../src/common/errors.ts';

interface NumberedDocument extends Document {
  _id: number;
}

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'mongo2pg-'));
});

afterEach(async () => {
  await rm(dataDir, { recursive: true });
});

/** Starts a server on the directory, runs, and stops it; returns its warnings. */
async function withServer(run: (db: Db) => Promise<void>): Promise<string[]> {
  const warnings: string[] = [];
  const server = await startMongoServer({ dataDir, onWarning: (message) => warnings.push(message) });
  const client = new MongoClient(server.url);
  try {
    await run(client.db('shop'));
  } finally {
    await client.close();
    await server.close();
  }
  return warnings;
}

function numbered(from: number, to: number): NumberedDocument[] {
  return Array.from({ length: to - from }, (_, index) => ({
    _id: from + index,
    text: 'x'.repeat(index % 50),
  }));
}

async function readIds(db: Db, name: string): Promise<number[]> {
  const found = await db.collection<NumberedDocument>(name).find().sort({ _id: 1 }).toArray();
  return found.map(({ _id }) => _id);
}

const ids = (documents: NumberedDocument[]) => documents.map(({ _id }) => _id);

describe('the data directory', () => {
  it('keeps inserts, deletes, empty collections and drops over restarts', async () => {
    const names = ['plain', 'Users', 'users', 'a/../b', 'ü.x%41'];
    await withServer(async (db) => {
      for (const [index, name] of names.entries()) {
        await db.collection<NumberedDocument>(name).insertMany(numbered(0, 100 + index));
      }
      await db.collection<NumberedDocument>('plain').insertMany(numbered(200, 300).reverse());
      await db.collection<NumberedDocument>('plain').deleteMany({ _id: { $gte: 50, $lt: 100 } });
      await db.collection<NumberedDocument>('plain').insertOne({ _id: 1000 });
      await db.createCollection('empty');
      await db.createCollection('dropped');
      await db.collection('dropped').drop();
    });
    const warnings = await withServer(async (db) => {
      const collections = await db.listCollections().toArray();
      assert.deepEqual(collections.map(({ name }) => name).sort(), [...names, 'empty'].sort());
      for (const [index, name] of names.slice(1).entries()) {
        assert.deepEqual(await readIds(db, name), ids(numbered(0, 101 + index)));
      }
      assert.deepEqual(await readIds(db, 'plain'), [
        ...ids(numbered(0, 50)),
        ...ids(numbered(200, 300)),
        1000,
      ]);
      await db.dropDatabase();
    });
    assert.deepEqual(warnings, []);
    // The history is kept, for change streams that resume.
    assert.deepEqual(await readdir(dataDir), ['embedded-mongo.oplog']);
  });

  it('keeps acknowledged inserts, without a clean shutdown', async () => {
    await withServer(async (db) => {
      await db.collection<NumberedDocument>('things').insertMany(numbered(0, 10));
      const path = join(dataDir, 'shop', 'things.bson');
      const before = (await readFile(path)).length;
      await db.collection<NumberedDocument>('things').insertOne({ _id: 10 });
      assert.equal((await readFile(path)).length, before + 14);
    });
  });

  it('keeps the UUID of a collection over restarts, and gives a recreated one another', async () => {
    const readUuids = async (db: Db): Promise<(string | undefined)[]> => {
      const found = await db.listCollections<CollectionInfo>().toArray();
      return found.map(({ info }) => info?.uuid?.toUUID().toHexString());
    };
    let first: (string | undefined)[] = [];
    await withServer(async (db) => {
      await db.createCollection('a');
      await db.collection<NumberedDocument>('b').insertOne({ _id: 1 });
      first = await readUuids(db);
    });
    assert.equal(new Set(first).size, 2);
    assert.ok(!first.includes(undefined));
    await withServer(async (db) => {
      assert.deepEqual(await readUuids(db), first);
      await db.collection('a').drop();
      await db.createCollection('a');
      assert.notEqual((await readUuids(db))[0], first[0]);
      assert.equal((await readUuids(db))[1], first[1]);
    });
    // A drop that was killed between its two steps.
    await rm(join(dataDir, 'shop', 'b.bson'));
    await withServer(async (db) => {
      await db.createCollection('b');
      assert.notEqual((await readUuids(db))[1], first[1]);
    });
  });

  it('keeps indexes, views, time series and validators over restarts', async () => {
    const read = async (db: Db) => ({
      collections: await db.listCollections().toArray(),
      indexes: await db.collection('people').indexes(),
    });
    let first: unknown;
    await withServer(async (db) => {
      await db.createCollection('people', { validator: { $jsonSchema: { required: ['name'] } } });
      await db.createCollection('names', { viewOn: 'people', pipeline: [{ $project: { name: 1 } }] });
      await db.createCollection('weather', { timeseries: { timeField: 'at', metaField: 'place' } });
      await db.collection('people').createIndex({ name: 1, age: -1 }, { unique: true, name: 'by name' }, {});
      await db.collection('people').createIndex({ age: 1 });
      await db.collection('people').dropIndex('age_1');
      first = await read(db);
    });
    await withServer(async (db) => {
      assert.deepEqual(await read(db), first);
      await db.collection('people').drop();
      await db.createCollection('people');
      assert.deepEqual(
        (await db.collection('people').indexes()).map(({ name }) => name),
        ['_id_'],
      );
    });
    assert.deepEqual(
      (first as { indexes: Document[] }).indexes.map(({ name }) => name as string),
      ['_id_', 'by name'],
    );
  });

  it('reads options and indexes from the metadata of mongodump', async () => {
    await withServer(async (db) => {
      await db.createCollection('things');
    });
    const dumped = {
      options: { validator: { a: { $gt: { $numberInt: '1' } } } },
      indexes: [
        { v: { $numberInt: '2' }, key: { _id: { $numberInt: '1' } }, name: '_id_' },
        { v: { $numberInt: '2' }, key: { a: { $numberDouble: '-1.0' } }, name: 'a_-1', sparse: true },
      ],
      uuid: '0123456789abcdef0123456789abcdef',
      collectionName: 'things',
      type: 'collection',
    };
    await writeFile(join(dataDir, 'shop', 'things.metadata.json'), JSON.stringify(dumped));
    await withServer(async (db) => {
      const [things] = await db.listCollections<CollectionInfo>().toArray();
      assert.deepEqual(things?.options, { validator: { a: { $gt: 1 } } });
      assert.equal(things.info?.uuid?.toUUID().toHexString(), '01234567-89ab-cdef-0123-456789abcdef');
      assert.deepEqual(await db.collection('things').indexes(), [
        { v: 2, key: { _id: 1 }, name: '_id_' },
        { v: 2, key: { a: -1 }, name: 'a_-1', sparse: true },
      ]);
    });
  });

  it('keeps a renamed collection under its new name, with its UUID', async () => {
    const uuidsOf = async (db: Db) =>
      (await db.listCollections<CollectionInfo>().toArray()).map(({ name, info }) => [
        name,
        info?.uuid?.toUUID().toHexString(),
      ]);
    const found: unknown[] = [];
    await withServer(async (db) => {
      const things = db.collection<NumberedDocument>('things');
      await things.insertMany(numbered(0, 10));
      const [[, uuid] = []] = await uuidsOf(db);
      await things.rename('Others');
      await db.collection<NumberedDocument>('Others').insertMany(numbered(10, 20));
      found.push(uuid);
    });
    await withServer(async (db) => {
      assert.deepEqual(await uuidsOf(db), [['Others', found[0]]]);
      assert.deepEqual(await readIds(db, 'Others'), ids(numbered(0, 20)));
    });
  });

  it('gives files of other programs, and those with broken metadata, a UUID', async () => {
    await withServer(async (db) => {
      await db.createCollection('a');
    });
    const path = join(dataDir, 'shop', 'a.metadata.json');
    const seen = new Set<string>();
    for (const text of [undefined, '', '{"uuid":"', '{"uuid":7}', '{"indexes":[]}', 'null']) {
      await (text === undefined ? rm(path) : writeFile(path, text));
      for (let start = 1; start <= 2; start++) {
        await withServer(async (db) => {
          const [collection] = await db.listCollections<CollectionInfo>().toArray();
          seen.add(collection?.info?.uuid?.toUUID().toHexString() ?? 'none');
        });
      }
    }
    assert.equal(seen.size, 6);
    assert.ok(!seen.has('none'));
  });

  it('removes a truncated last document, with a warning, and continues', async () => {
    const path = join(dataDir, 'shop', 'things.bson');
    await withServer(async (db) => {
      await db.collection<NumberedDocument>('things').insertMany(numbered(0, 100));
    });
    const whole = await readFile(path);
    for (const cut of [1, 5, 60]) {
      await writeFile(path, whole);
      await truncate(path, whole.length - cut);
      const warnings = await withServer(async (db) => {
        assert.deepEqual(await readIds(db, 'things'), ids(numbered(0, 99)));
        await db.collection<NumberedDocument>('things').insertOne({ _id: 500 });
      });
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /^shop\.things: removed \d+ bytes/);
      const none = await withServer(async (db) => {
        assert.deepEqual(await readIds(db, 'things'), [...ids(numbered(0, 99)), 500]);
      });
      assert.deepEqual(none, []);
    }
  });

  it('is locked by one server at a time, and not by a killed one', async () => {
    await withServer(async (db) => {
      await db.createCollection('things');
      await assert.rejects(startMongoServer({ dataDir }), SourceError);
    });
    const { pid } = spawnSync(process.execPath, ['--version']);
    await writeFile(join(dataDir, 'embedded-mongo.lock'), String(pid));
    await withServer(async (db) => {
      assert.equal((await db.listCollections().toArray()).length, 1);
    });
  });

  it('refuses to start on a damaged file, and does not change it', async () => {
    const path = join(dataDir, 'shop', 'things.bson');
    await withServer(async (db) => {
      await db.collection<NumberedDocument>('things').insertMany(numbered(0, 100));
    });
    const whole = await readFile(path);
    const first = whole.subarray(0, whole.readInt32LE(0));
    for (const damaged of [
      Buffer.concat([first, Buffer.alloc(8)]),
      Buffer.concat([first, first]),
      Buffer.concat([first, Buffer.from('garbage, and more of it')]),
    ]) {
      await writeFile(path, damaged);
      await assert.rejects(startMongoServer({ dataDir }), SourceError);
      assert.deepEqual(await readFile(path), damaged);
    }
  });

  it('loads documents larger than its reading buffer, and files of other programs', async () => {
    await withServer(async (db) => {
      await db.collection<NumberedDocument>('things').insertOne({ _id: 1, text: 'x'.repeat(10_000_000) });
    });
    const path = join(dataDir, 'shop', 'things.bson');
    await appendFile(path, await readFile(path).then((bytes) => renumber(bytes, 2)));
    await withServer(async (db) => {
      assert.deepEqual(await readIds(db, 'things'), [1, 2]);
    });
  });
});

/** The same document with another int32 `_id`, which comes first. */
function renumber(document: Buffer, id: number): Buffer {
  const copy = Buffer.from(document);
  copy.writeInt32LE(id, 9);
  return copy;
}
