/**
 * The embedded MongoDB server, as the official driver sees it.
 *
 * With TEST_MONGO_URL set, the tests run on that server instead: a real mongod (with
 * `--setParameter enableTestCommands=1`, for the fail points) must give the same answers.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  BSON,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  MongoBulkWriteError,
  MongoClient,
  MongoServerError,
  ObjectId,
  Timestamp,
} from 'mongodb';
import type { Collection, CollectionInfo, Db, Document, MongoClientOptions } from 'mongodb';
import { startMongoServer } from '../../src/mongo/server.ts';
import type { MongoServer } from '../../src/mongo/server.ts';
import { lockFailCommand } from '../../../../test/support/fail-command-lock.ts';
import { lacking } from '../../../../test/support/server-features.ts';
import fc from '../../../../test/support/fast-check.ts';

type Id =
  | (number | string | boolean | null | Date | ObjectId | Int32 | Double | Long | Decimal128 | BSONSymbol)
  | (Binary | Timestamp | Code | BSONRegExp | MinKey | MaxKey | readonly unknown[]);

/** Any `_id`, rather than the ObjectId that the driver's types expect. */
interface AnyDocument extends Document {
  _id: Id;
}

/** The application name that fail points of this file apply to. */
const appName = `embedded-mongo ${randomUUID()}`;

let server: MongoServer | undefined;
let url: string;
let client: MongoClient;
let db: Db;
let collection: Collection<AnyDocument>;
/** The version of the server: some answers differ. */
let majorVersion: number;

before(async () => {
  url = process.env.TEST_MONGO_URL ?? '';
  if (url === '') {
    server = await startMongoServer();
    url = server.url;
  }
  client = new MongoClient(url, { appName });
  const { versionArray } = (await client.db('admin').command({ buildInfo: 1 })) as { versionArray: number[] };
  majorVersion = versionArray[0] ?? 0;
});

after(async () => {
  await client.close();
  await server?.close();
});

beforeEach(() => {
  db = client.db(`embedded_${randomUUID().slice(0, 8)}`);
  collection = db.collection<AnyDocument>('things');
});

afterEach(async () => {
  await db.dropDatabase();
});

function numbered(count: number): AnyDocument[] {
  return Array.from({ length: count }, (_, _id) => ({ _id, text: `t${_id}` }));
}

async function assertFails(promise: Promise<unknown>, code: number, codeName?: string): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof MongoServerError, String(error));
    assert.equal(error.code, code, error.message);
    if (codeName !== undefined) {
      assert.equal(error.codeName, codeName);
    }
    return true;
  });
}

describe('writes and reads', () => {
  it('inserts, finds, counts and deletes', async () => {
    const { insertedCount } = await collection.insertMany(numbered(1000));
    assert.equal(insertedCount, 1000);
    assert.deepEqual(await collection.findOne({ _id: 7 }), { _id: 7, text: 't7' });
    assert.deepEqual(
      (await collection.find({ _id: { $gt: 5, $lte: 8 } }).toArray()).map(({ _id }) => _id),
      [6, 7, 8],
    );
    assert.equal(await collection.countDocuments({ text: /^t99/ }), 11);
    assert.equal(await collection.countDocuments({ _id: { $gte: 990 } }, { skip: 2, limit: 5 }), 5);
    assert.equal(await collection.countDocuments({ _id: -1 }), 0);
    assert.equal(await collection.estimatedDocumentCount(), 1000);
    assert.equal((await collection.deleteOne({ _id: { $gte: 100 } })).deletedCount, 1);
    assert.equal((await collection.deleteMany({ _id: { $gte: 10 } })).deletedCount, 989);
    assert.deepEqual(
      (await collection.find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id),
      numbered(10).map(({ _id }) => _id),
    );
  });

  it('adds a missing _id, and moves an existing one to the front', async () => {
    await db.command({ insert: 'things', documents: [{ a: 1 }, { a: 2, _id: 5, b: 3 }] });
    const [first, second] = await collection.find().sort({ _id: -1 }).toArray();
    assert.ok(first?._id instanceof ObjectId);
    assert.deepEqual(Object.keys(second ?? {}), ['_id', 'a', 'b']);
    assert.deepEqual(second, { _id: 5, a: 2, b: 3 });
  });

  it('replaces an empty timestamp in a top-level field by the time', async () => {
    const empty = new Timestamp(0n);
    await collection.insertOne({ _id: 1, at: empty, in: { at: empty } });
    const found = await collection.findOne({ _id: 1 });
    assert.ok((found?.at as Timestamp).t > 1_700_000_000);
    assert.deepEqual(found?.in, { at: empty });
  });

  it('refuses more than 180 levels of nesting', async () => {
    const nest = (levels: number): AnyDocument => {
      let inner: Document = {};
      for (let level = 2; level < levels; level++) inner = { a: inner };
      return { _id: levels, a: inner };
    };
    await collection.insertOne(nest(180));
    await assertFails(collection.insertOne(nest(181)), 15);
  });

  it('pages by cursor, forwards and backwards', async () => {
    await collection.insertMany(numbered(250));
    for (const direction of [1, -1] as const) {
      const found = await collection
        .find()
        .sort({ _id: direction })
        .batchSize(7)
        .skip(3)
        .limit(200)
        .toArray();
      const expected = numbered(250).map(({ _id }) => _id);
      assert.deepEqual(
        found.map(({ _id }) => _id),
        (direction === 1 ? expected : expected.reverse()).slice(3, 203),
      );
    }
    const reply = await db.command({ find: 'things' });
    assert.equal((reply.cursor as { firstBatch: unknown[] }).firstBatch.length, 101);
  });

  it('continues a cursor during inserts and deletes', async () => {
    await collection.insertMany(numbered(20));
    const cursor = collection.find().sort({ _id: 1 }).batchSize(5);
    await cursor.next();
    await collection.deleteMany({ _id: { $lt: 10 } });
    await collection.insertOne({ _id: 12.5 });
    const rest = (await cursor.toArray()).map(({ _id }) => _id);
    assert.deepEqual(rest, [1, 2, 3, 4, 10, 11, 12, 12.5, 13, 14, 15, 16, 17, 18, 19]);
  });

  it('closes a cursor whose collection is dropped', async () => {
    await collection.insertMany(numbered(20));
    const cursor = collection.find().batchSize(5);
    await cursor.next();
    const [info] = await db.listCollections<CollectionInfo>({ name: 'things' }).toArray();
    await collection.drop();
    await assert.rejects(cursor.toArray(), (error) => {
      assert.ok(error instanceof MongoServerError);
      assert.deepEqual([error.code, error.codeName], [175, 'QueryPlanKilled']);
      const uuid = info?.info?.uuid?.toUUID().toHexString() ?? 'none';
      assert.equal(error.message, `collection dropped. UUID ${uuid}`);
      return true;
    });
  });

  it('kills a cursor, and refuses unknown cursors', async () => {
    await collection.insertMany(numbered(20));
    const reply = await db.command({ find: 'things', batchSize: 2 }, { promoteLongs: false });
    const { id } = reply.cursor as { id: Long };
    const killed = await db.command(
      { killCursors: 'things', cursors: [id, Long.fromNumber(1)] },
      { promoteLongs: false },
    );
    assert.deepEqual(killed.cursorsKilled, [id]);
    assert.deepEqual(killed.cursorsNotFound, [Long.fromNumber(1)]);
    await assertFails(db.command({ getMore: id, collection: 'things' }), 43, 'CursorNotFound');
  });

  it('projects and sorts', async () => {
    await collection.insertMany([
      { _id: 1, a: 2, b: 'x' },
      { _id: 2, a: [3, 0], b: 'y' },
      { _id: 3, b: 'z' },
    ]);
    assert.deepEqual(await collection.find().sort({ a: 1 }).project({ _id: 1 }).toArray(), [
      { _id: 3 },
      { _id: 2 },
      { _id: 1 },
    ]);
    assert.deepEqual(
      await collection.find().sort({ a: -1, b: 1 }).limit(1).project({ b: 1, _id: 0 }).toArray(),
      [{ b: 'y' }],
    );
    assert.deepEqual(await collection.find({ _id: 1 }).project({ b: 0 }).toArray(), [{ _id: 1, a: 2 }]);
  });

  it('ends a reply before 16 MiB, a single batch too, and returns a large document alone', async () => {
    const text = 'x'.repeat(5 * 1024 * 1024);
    await collection.insertMany([1, 2, 3, 4].map((_id) => ({ _id, text })));
    await collection.insertOne({ _id: 5, text: 'x'.repeat(16 * 1024 * 1024 - 30) });
    const page = async (last: number) => {
      const command = { find: 'things', filter: { _id: { $gt: last } }, sort: { _id: 1 }, singleBatch: true };
      const { cursor } = (await db.command({ ...command, limit: 10, batchSize: 10 })) as {
        cursor: { firstBatch: AnyDocument[]; id: number };
      };
      assert.equal(cursor.id, 0);
      return cursor.firstBatch.map(({ _id }) => _id);
    };
    assert.deepEqual(await page(0), [1, 2, 3]);
    assert.deepEqual(await page(3), [4]);
    assert.deepEqual(await page(4), [5]);
    assert.deepEqual(await page(5), []);
    const all = await collection.find().sort({ _id: 1 }).project({ _id: 1 }).toArray();
    assert.equal(all.length, 5);
    assert.equal((await collection.find().toArray()).length, 5);
  });

  it('answers raw commands with the stored bytes', async () => {
    await collection.insertMany(numbered(3));
    const reply = (await db.command({ find: 'things', sort: { _id: 1 } }, { raw: true })) as {
      cursor: Buffer;
    };
    const { firstBatch } = BSON.deserialize(reply.cursor) as { firstBatch: unknown[] };
    assert.deepEqual(firstBatch, numbered(3));
  });

  it('samples different documents', async () => {
    await collection.insertMany(numbered(3000));
    const sample = async (size: number) =>
      (await collection.aggregate<AnyDocument>([{ $sample: { size } }, { $sort: { _id: 1 } }]).toArray()).map(
        ({ _id }) => _id as number,
      );
    const half = await sample(100);
    assert.equal(new Set(half).size, 100);
    assert.deepEqual(
      half,
      half.toSorted((a, b) => a - b),
    );
    assert.equal((await sample(5000)).length, 3000);
  });

  it('counts by aggregation', async () => {
    await collection.insertMany(numbered(50));
    const pipeline = [{ $match: { _id: { $gt: 9 } } }, { $skip: 5 }, { $limit: 30 }, { $count: 'total' }];
    assert.deepEqual(await collection.aggregate(pipeline).toArray(), [{ total: 30 }]);
    const [stats] = await collection.aggregate([{ $collStats: { count: {} } }]).toArray();
    assert.equal(stats?.count, 50);
  });

  it('serves two clients at the same time', async () => {
    const other = new MongoClient(url);
    try {
      const insertAll = async (from: MongoClient, offset: number) => {
        for (let start = 0; start < 500; start += 50) {
          const documents = numbered(50).map(({ _id }) => ({ _id: ((_id as number) + start) * 2 + offset }));
          await from.db(db.databaseName).collection<AnyDocument>('things').insertMany(documents);
        }
      };
      await Promise.all([insertAll(client, 0), insertAll(other, 1)]);
      const found = await collection.find().sort({ _id: 1 }).toArray();
      assert.deepEqual(
        found.map(({ _id }) => _id),
        numbered(1000).map(({ _id }) => _id),
      );
    } finally {
      await other.close();
    }
  });
});

describe('_id', () => {
  /** Documents, which the driver's types cannot distinguish from a filter's operators. */
  const embedded = [{}, { a: 1 }, { a: 1, b: 1 }, { b: 1 }] as unknown as Id[];

  /** In MongoDB's order. */
  const ordered: readonly Id[] = [
    ...[new MinKey(), null, new Double(Number.NaN), new Double(-Infinity), Long.MIN_VALUE, new Int32(-1)],
    ...[Decimal128.fromString('0.1'), new Double(0.1), new Int32(1), Long.fromString('9007199254740992')],
    ...[Long.fromString('9007199254740993'), new Double(2 ** 53 + 2), Decimal128.fromString('1E+400')],
    ...[new Double(Infinity), '', 'A', 'a', new BSONSymbol('aa'), '～', '😀', ...embedded],
    ...[new Binary(Buffer.from([9])), new Binary(Buffer.from([1, 2])), new Binary(Buffer.from([1, 2]), 5)],
    ...[new ObjectId('000000000000000000000001'), new ObjectId('ff0000000000000000000001'), false, true],
    ...[new Date(-1), new Date(0), new Timestamp({ t: 1, i: 1 }), new Timestamp({ t: 4294967295, i: 0 })],
    ...[new Code('a'), new Code('a', { a: 1 }), new MaxKey()],
  ];

  async function readIds(): Promise<Id[]> {
    const options = { promoteValues: false };
    const found = await collection.find({}, options).sort({ _id: 1 }).batchSize(5).toArray();
    return found.map(({ _id }) => _id);
  }

  it('of all types is returned in order', async () => {
    // The driver itself would replace null by an ObjectId.
    const options = { forceServerObjectId: true };
    await collection.insertMany(
      ordered.toReversed().map((_id) => ({ _id })),
      options,
    );
    const stringify = (_id: Id) => BSON.EJSON.stringify({ _id }, { relaxed: false });
    assert.deepEqual((await readIds()).map(stringify), ordered.map(stringify));
  });

  it('is unique by value, not by type of number', async () => {
    await collection.insertMany([{ _id: 1 }, { _id: new Double(2) }, { _id: Decimal128.fromString('3.0') }]);
    for (const _id of [Long.fromNumber(1), Decimal128.fromString('2'), new Int32(3)]) {
      await assertFails(collection.insertOne({ _id }), 11000);
    }
  });

  it('that already exists is a write error: the first ends an ordered insert only', async () => {
    await collection.insertOne({ _id: 2 });
    const ids = [1, 2, 3, 2, 4].map((_id) => ({ _id }));
    await assert.rejects(collection.insertMany(ids), (error) => {
      assert.ok(error instanceof MongoBulkWriteError);
      assert.equal(error.code, 11000);
      assert.equal(error.insertedCount, 1);
      return true;
    });
    await collection.deleteMany({ _id: 1 });
    await assert.rejects(collection.insertMany(ids, { ordered: false }), (error) => {
      assert.ok(error instanceof MongoBulkWriteError);
      assert.equal(error.insertedCount, 3);
      const errors = [error.writeErrors].flat();
      assert.deepEqual(
        errors.map(({ index, code }) => ({ index, code })),
        [
          { index: 1, code: 11000 },
          { index: 3, code: 11000 },
        ],
      );
      assert.match(
        errors[0]?.errmsg ?? '',
        /^E11000 duplicate key error collection: .*\.things index: _id_ dup key: /,
      );
      return true;
    });
    assert.deepEqual((await readIds()).map(Number), [1, 2, 3, 4]);
  });

  it('cannot be an array or a regular expression, nor have names with $ but those of a DBRef', async () => {
    // Another code since 5.0.
    const code = majorVersion < 5 ? 2 : 53;
    for (const _id of [[1], new BSONRegExp('a')]) {
      await assertFails(collection.insertOne({ _id }), code);
    }
    const any = (document: Document) => collection.insertOne({ _id: document as unknown as Id });
    await assertFails(any({ $a: 1 }), 52);
    await assertFails(any({ a: [{ $a: 1 }] }), 52);
    await assertFails(any({ $id: 1, $ref: 'a' }), 52);
    await any({ $ref: 'a', $id: 1 });
  });

  const id = fc.oneof(
    fc.integer().map((value) => new Int32(value)),
    fc.double().map((value) => new Double(value)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => Long.fromBigInt(value)),
    fc
      .tuple(fc.integer(), fc.integer({ min: -20, max: 20 }))
      .map(([coefficient, exponent]) => Decimal128.fromString(`${coefficient}E${exponent}`)),
    fc.constantFrom(null, new MinKey(), new MaxKey(), true, false),
    fc.string({ maxLength: 5, unit: 'grapheme' }),
    fc
      .dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(fc.integer(), fc.string({ maxLength: 2 })), {
        maxKeys: 2,
      })
      .map((document) => document as unknown as Id),
    fc
      .tuple(fc.uint8Array({ maxLength: 3 }), fc.constantFrom(0, 5, 128))
      .map(([bytes, type]) => new Binary(bytes, type)),
    fc.uint8Array({ minLength: 12, maxLength: 12 }).map((bytes) => new ObjectId(bytes)),
    fc.integer().map((ms) => new Date(ms)),
    fc.tuple(fc.nat(), fc.nat()).map(([t, i]) => new Timestamp({ t, i })),
    fc.string({ maxLength: 2 }).map((text) => new Code(text)),
  );

  function isNaNDouble(value: unknown): boolean {
    return value instanceof Double && Number.isNaN(value.value);
  }

  /** The types from first to last; those in one entry compare with each other. */
  const brackets: readonly (readonly string[])[] = [
    ...[
      ['minKey'],
      ['null'],
      ['number'],
      ['string', 'symbol'],
      ['object'],
      ['binData'],
      ['objectId'],
      ['bool'],
    ],
    ...[['date'], ['timestamp'], ['javascript'], ['javascriptWithScope'], ['maxKey']],
  ];

  async function readPage(filter: Document, limit: number): Promise<AnyDocument[]> {
    const command = { find: 'things', filter, sort: { _id: 1 }, limit, batchSize: limit, singleBatch: true };
    const reply = await db.command(command, { promoteValues: false, bsonRegExp: true });
    return (reply.cursor as { firstBatch: AnyDocument[] }).firstBatch;
  }

  function bracketOf(value: unknown): number {
    const element = BSON.serialize({ value })[4] ?? 0;
    const names: Record<number, string> = {
      ...{ 255: 'minKey', 10: 'null', 1: 'number', 16: 'number', 18: 'number', 19: 'number', 2: 'string' },
      ...{ 14: 'symbol', 3: 'object', 5: 'binData', 7: 'objectId', 8: 'bool', 9: 'date', 17: 'timestamp' },
      ...{ 13: 'javascript', 15: 'javascriptWithScope', 127: 'maxKey' },
    };
    const name = names[element] ?? '';
    return brackets.findIndex((bracket) => bracket.includes(name));
  }

  /** Reads the rest of the bracket by `$gt`, then whatever has a later type, as a reader of pages has to. */
  async function readAllPages(limit: number): Promise<Id[]> {
    const found: Id[] = [];
    let page = await readPage({}, limit);
    while (page.length > 0) {
      found.push(...page.map(({ _id }) => _id));
      const last = found.at(-1);
      const range = isNaNDouble(last) ? { $gte: new Double(-Infinity) } : { $gt: last };
      // MinKey compares with values of every type, so that $gt of it would not stay in its bracket.
      page = bracketOf(last) === 0 ? [] : await readPage({ _id: range }, limit);
      const later = brackets.slice(bracketOf(last) + 1).flat();
      if (page.length === 0 && later.length > 0) {
        page = await readPage({ _id: { $type: later } }, limit);
      }
    }
    return found;
  }

  it('of any types, inserted in any order, is paged completely, once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(id, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        async (ids, limit) => {
          await collection.deleteMany({});
          const inserted = await collection
            .insertMany(
              ids.map((_id) => ({ _id })),
              { ordered: false, forceServerObjectId: true },
            )
            .then((result) => result.insertedCount)
            .catch((error: unknown) => {
              // Only equal ids are refused.
              assert.ok(error instanceof MongoBulkWriteError && error.code === 11000, String(error));
              return error.insertedCount;
            });
          const paged = await readAllPages(limit);
          assert.equal(paged.length, inserted);
          const sorted = await readPage({}, 1000);
          assert.deepEqual(
            paged,
            sorted.map(({ _id }) => _id),
          );
          for (const [index, _id] of paged.entries()) {
            const next = paged[index + 1];
            assert.equal(await collection.countDocuments({ _id }), 1);
            if (next !== undefined && bracketOf(next) === bracketOf(_id) && !isNaNDouble(_id)) {
              assert.equal(await collection.countDocuments({ _id: next, $and: [{ _id: { $gt: _id } }] }), 1);
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('the catalog', () => {
  it('lists, creates and drops', async () => {
    await db.createCollection('empty');
    await collection.insertOne({ _id: 1 });
    const collections = await db.listCollections({}, { nameOnly: true }).toArray();
    assert.deepEqual(collections.map(({ name }) => name).sort(), ['empty', 'things']);
    const [empty, ...others] = await db.listCollections<CollectionInfo>({ name: 'empty' }).toArray();
    assert.equal(others.length, 0);
    assert.match(empty?.info?.uuid?.toUUID().toHexString() ?? '', /^[\da-f-]{36}$/);
    const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
    assert.ok(databases.some(({ name }) => name === db.databaseName));
    assert.deepEqual(await collection.indexes(), [{ v: 2, key: { _id: 1 }, name: '_id_' }]);
    await assertFails(
      db.command({ create: 'empty', capped: false }).catch(async () => db.command({ create: 'empty' })),
      48,
    );
    // As mongorestore does it.
    await db.command({ create: 'restored', idIndex: { v: 2, key: { _id: 1 }, name: '_id_' } });
    assert.deepEqual(await db.collection('restored').indexes(), [{ v: 2, key: { _id: 1 }, name: '_id_' }]);
    await assertFails(db.command({ create: 'other', idIndex: { v: 2, key: { a: 1 }, name: '_id_' } }), 2);
    await collection.drop();
    assert.deepEqual(await collection.find().toArray(), []);
    await assertFails(db.collection('none').indexes(), 26, 'NamespaceNotFound');
    await db.dropDatabase();
    assert.deepEqual(await db.listCollections().toArray(), []);
  });

  it('renames, to a name that is free or whose collection is to be dropped', async () => {
    const idsOf = async (name: string) => (await db.collection(name).find().toArray()).map(({ _id }) => _id);
    const uuidOf = async (name: string) =>
      (await db.listCollections<CollectionInfo>({ name }).toArray())[0]?.info?.uuid?.toString('hex');
    await collection.insertOne({ _id: 1 });
    await db.collection<{ _id: number }>('others').insertOne({ _id: 2 });
    const uuid = await uuidOf('things');
    await assertFails(collection.rename('others'), 48, 'NamespaceExists');
    // MongoDB 4 takes such a name.
    if (majorVersion > 4) await assertFails(collection.rename('bad..'), 73, 'InvalidNamespace');
    await collection.rename('others', { dropTarget: true });
    assert.deepEqual([await idsOf('things'), await idsOf('others')], [[], [1]]);
    assert.deepEqual([await uuidOf('things'), await uuidOf('others')], [undefined, uuid]);
    await assertFails(collection.rename('things2'), 26, 'NamespaceNotFound');
    await db.dropDatabase();
  });
});

describe('indexes', () => {
  const create = (...indexes: Document[]) => db.command({ createIndexes: 'things', indexes });

  it('are created, listed with defaults, and dropped', async () => {
    const reply = await create({ key: { a: 1, b: -1 }, name: 'ab', unique: true });
    assert.deepEqual(
      [reply.numIndexesBefore, reply.numIndexesAfter, reply.createdCollectionAutomatically],
      [1, 2, true],
    );
    await create(
      { key: { a: 1 }, name: 'part', partialFilterExpression: { a: { $gt: 5 } } },
      { key: { c: 'hashed' }, name: 'c' },
      { key: { d: 1 }, name: 'd', sparse: true, expireAfterSeconds: 60, collation: { locale: 'simple' } },
      { key: { e: 1 }, name: 'e', collation: { locale: 'fr' } },
      { key: { x: 1, t: 'text', s: 'text', z: 1 }, name: 'text', weights: { t: 3 } },
    );
    const [id, ab, part, c, d, e, text] = await collection.indexes();
    assert.deepEqual(id, { v: 2, key: { _id: 1 }, name: '_id_' });
    assert.deepEqual(ab, { v: 2, key: { a: 1, b: -1 }, name: 'ab', unique: true });
    assert.deepEqual(part, { v: 2, key: { a: 1 }, name: 'part', partialFilterExpression: { a: { $gt: 5 } } });
    assert.deepEqual(c, { v: 2, key: { c: 'hashed' }, name: 'c' });
    assert.deepEqual(d, { v: 2, key: { d: 1 }, name: 'd', sparse: true, expireAfterSeconds: 60 });
    assert.equal(e?.collation?.strength, 3);
    assert.deepEqual(text?.key, { x: 1, _fts: 'text', _ftsx: 1, z: 1 });
    assert.deepEqual(text.weights, { s: 1, t: 3 });
    await collection.dropIndex('ab');
    await db.command({ dropIndexes: 'things', index: { a: 1 } });
    assert.deepEqual(
      (await collection.indexes()).map(({ name }) => name),
      ['_id_', 'c', 'd', 'e', 'text'],
    );
    await collection.dropIndexes();
    assert.equal((await collection.indexes()).length, 1);
  });

  it('that already exist are ignored, unless they differ', async () => {
    await create({ key: { a: 1 }, name: 'a' });
    assert.equal((await create({ key: { a: 1 }, name: 'a' })).note, 'all indexes already exist');
    assert.equal((await create({ key: { _id: 1 }, name: '_id_' })).note, 'all indexes already exist');
    await assertFails(create({ key: { a: 1 }, name: 'other' }), 85, 'IndexOptionsConflict');
    await assertFails(create({ key: { b: 1 }, name: 'a' }), 86, 'IndexKeySpecsConflict');
    // Since 5.0 indexes of the same key may differ in their filters.
    const sameKey = create({ key: { a: 1 }, name: 'for 5', partialFilterExpression: { a: 5 } });
    if (majorVersion < 5) await assertFails(sameKey, 85, 'IndexOptionsConflict');
    else await sameKey;
    assert.equal((await collection.indexes()).length, majorVersion < 5 ? 2 : 3);
  });

  it('are refused as MongoDB refuses them', async () => {
    for (const [code, spec] of [
      [9, { name: 'a' }],
      [9, { key: { a: 1 } }],
      [14, { key: 'a', name: 'a' }],
      [67, { key: {}, name: 'a' }],
      [67, { key: { a: 0 }, name: 'a' }],
      [67, { key: { a: true }, name: 'a' }],
      [67, { key: { a: 'fly' }, name: 'a' }],
      [67, { key: { 'a..b': 1 }, name: 'a' }],
      [67, { key: { a: 1 }, name: 'a', sparse: true, partialFilterExpression: { a: 1 } }],
      [67, { key: { a: 1, b: 1 }, name: 'a', expireAfterSeconds: 1 }],
      [67, { key: { a: 1 }, name: 'a', expireAfterSeconds: -2 }],
      [197, { key: { a: 1 }, name: 'a', fly: true }],
      [2, { key: { a: 1 }, name: 'a', partialFilterExpression: { a: { $fly: 1 } } }],
      [16764, { key: { a: 'hashed' }, name: 'a', unique: true }],
    ] as const) {
      await assertFails(create(spec), code);
    }
    await assertFails(create(), 2, 'BadValue');
    await assertFails(collection.indexes(), 26, 'NamespaceNotFound');
    await collection.insertOne({ _id: 1 });
    await assertFails(collection.dropIndex('none'), 27, 'IndexNotFound');
    await assertFails(collection.dropIndex('_id_'), 72, 'InvalidOptions');
  });
});

describe('views and validators', () => {
  it('are listed by listCollections with their options', async () => {
    const validator = { $jsonSchema: { required: ['name'] } };
    await db.createCollection('things', { validator, validationLevel: 'moderate' });
    await db.createCollection('view', { viewOn: 'things', pipeline: [{ $match: { a: 1 } }] });
    const found = await db.listCollections<CollectionInfo>({ name: { $not: /^system/ } }).toArray();
    const [things, view] = found.sort((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual([things?.type, view?.type], ['collection', 'view']);
    assert.deepEqual(things?.options, { validator, validationLevel: 'moderate' });
    assert.deepEqual(view?.options, { viewOn: 'things', pipeline: [{ $match: { a: 1 } }] });
    assert.deepEqual([view.info?.readOnly, view.idIndex], [true, undefined]);
  });

  it('and so are time series', { skip: lacking('timeSeries') }, async () => {
    await db.createCollection('weather', { timeseries: { timeField: 'at', metaField: 'place' } });
    const [weather] = await db.listCollections<CollectionInfo>({ name: 'weather' }).toArray();
    assert.equal(weather?.type, 'timeseries');
    assert.deepEqual(weather.options, {
      timeseries: {
        timeField: 'at',
        metaField: 'place',
        granularity: 'seconds',
        bucketMaxSpanSeconds: 3600,
      },
    });
    assert.deepEqual(
      (await db.collection('weather').indexes()).map(({ key }) => key),
      [{ place: 1, at: 1 }],
    );
  });

  it('have no indexes and accept no documents, if they are views', async () => {
    await db.createCollection('view', { viewOn: 'things', pipeline: [] });
    const view = db.collection('view');
    for (const command of [view.indexes(), view.createIndex({ a: 1 })]) {
      await assertFails(command, 166, 'CommandNotSupportedOnView');
    }
    await assertFails(view.insertOne({}), 166);
    // MongoDB 4 ignores it.
    if (majorVersion > 4) {
      await assertFails(db.createCollection('other', { pipeline: [] }), 72, 'InvalidOptions');
    }
  });
});

describe('collStats', () => {
  it('returns count and sizes', async () => {
    await collection.insertMany(numbered(10));
    await collection.createIndex({ text: 1 });
    const stats = await db.command({ collStats: 'things' });
    // {_id: int32, text: two letters}: 4 + 9 + 13 + 1 bytes.
    assert.deepEqual([stats.count, stats.size, stats.avgObjSize, stats.nindexes], [10, 270, 27, 2]);
    const none = await db.command({ collStats: 'none' });
    assert.deepEqual([none.count, none.size], [0, 0]);
  });
});

describe('errors', () => {
  it('are those of MongoDB for unknown commands and arguments', async () => {
    await collection.insertOne({ _id: 1 });
    await assertFails(db.command({ fly: 1 }), 59, 'CommandNotFound');
    // MongoDB 4 has other codes for an invalid `find`.
    for (const [command, code, codeBefore5] of [
      [{ find: 'things', fly: 1 }, 40415, 9],
      [{ find: 1 }, 73, 9],
      [{ find: 'things', limit: -1 }, 51024, 2],
      [{ find: 'things', filter: 1 }, 14, 9],
    ] as const) {
      await assertFails(db.command(command), majorVersion < 5 ? codeBefore5 : code);
    }
    await assertFails(collection.find({ a: { $fly: 1 } }).toArray(), 2, 'BadValue');
    await assertFails(collection.find({ $fly: 1 }).toArray(), 2, 'BadValue');
    await assertFails(collection.find({}, { hint: { a: 1 } }).toArray(), 2, 'BadValue');
    await assertFails(collection.aggregate([{ $fly: 1 }]).toArray(), 40324);
    await assertFails(db.command({ listDatabases: 1 }), 13, 'Unauthorized');
    await assertFails(db.collection('a$b').insertOne({}), 73, 'InvalidNamespace');
  });

  it('are not caused by generic arguments: a command with all of them works', async () => {
    const session = client.startSession();
    try {
      await collection.insertOne({ _id: 1 }, { session, comment: 'x' });
      const found = await collection
        .find({}, { session, maxTimeMS: 1000, readConcern: 'local', comment: 'x' })
        .toArray();
      assert.equal(found.length, 1);
    } finally {
      await session.endSession();
    }
  });
});

describe('the fail point failCommand', () => {
  /** @returns how often it was hit so far */
  async function configure(mode: unknown, data?: Document): Promise<number> {
    const reply = await client.db('admin').command({
      configureFailPoint: 'failCommand',
      mode,
      // Other tests may use the server.
      data: { appName, ...data },
    });
    return Number(reply.count);
  }

  /** A client without retries. */
  async function withClient(options: MongoClientOptions, run: (db: Db) => Promise<void>): Promise<void> {
    const other = new MongoClient(url, { appName, retryReads: false, retryWrites: false, ...options });
    try {
      await run(other.db(db.databaseName));
    } finally {
      await other.close();
    }
  }

  const victim = `${appName} victim`;
  let unlock: (() => Promise<void>) | undefined;

  before(async () => {
    const shared = process.env.TEST_POSTGRES_URL;
    unlock = shared === undefined ? undefined : await lockFailCommand(shared);
  });
  after(() => unlock?.());

  afterEach(async () => {
    await configure('off');
  });

  it('fails a command a number of times, with code and labels', async () => {
    await configure({ times: 2 }, { failCommands: ['ping'], errorCode: 91, errorLabels: ['Wanted'] });
    for (let time = 0; time < 2; time++) {
      await assert.rejects(db.command({ ping: 1 }), (error) => {
        assert.ok(error instanceof MongoServerError);
        assert.equal(error.code, 91);
        assert.equal(error.codeName, 'ShutdownInProgress');
        assert.ok(error.hasErrorLabel('Wanted'));
        return true;
      });
    }
    assert.equal((await db.command({ ping: 1 })).ok, 1);
  });

  it('returns how often it was hit since the server started', async () => {
    const before = await configure({ times: 3 }, { failCommands: ['ping'], errorCode: 91 });
    for (let time = 0; time < 2; time++) await assertFails(db.command({ ping: 1 }), 91);
    assert.equal(await configure({ times: 1 }, { failCommands: ['ping'], errorCode: 91 }), before + 2);
    await assertFails(db.command({ ping: 1 }), 91);
    assert.equal(await configure('off'), before + 3);
    assert.equal(await configure('off'), before + 3);
  });

  it('is refused under another name, and without a valid mode', async () => {
    const admin = client.db('admin');
    await assertFails(admin.command({ configureFailPoint: 'fly', mode: 'off' }), 266, 'FailPointSetFailed');
    await assertFails(admin.command({ configureFailPoint: 'failCommand' }), 20, 'IllegalOperation');
    for (const mode of ['on', { fly: 1 }]) await assertFails(configure(mode), 2, 'BadValue');
    for (const mode of [1, null]) await assertFails(configure(mode), 14, 'TypeMismatch');
  });

  it('skips a number of times, then fails always', async () => {
    await configure({ skip: 1 }, { failCommands: ['find'], errorCode: 2 });
    await withClient({}, async (other) => {
      assert.deepEqual(await other.collection('things').find().toArray(), []);
      await assertFails(other.collection('things').find().toArray(), 2);
      await assertFails(other.collection('things').find().toArray(), 2);
    });
  });

  it('closes the connection, after which the driver retries the read', async () => {
    await collection.insertOne({ _id: 1 });
    await configure({ times: 1 }, { failCommands: ['find'], closeConnection: true });
    assert.equal((await collection.find().toArray()).length, 1);
    await configure({ times: 1 }, { failCommands: ['find'], closeConnection: true });
    await withClient({}, async (other) => {
      await assert.rejects(other.collection('things').find().toArray(), { name: /^MongoNetworkError/ });
    });
  });

  it('blocks the connection', async () => {
    await configure('alwaysOn', { failCommands: ['ping'], blockConnection: true, blockTimeMS: 300 });
    const start = performance.now();
    await db.command({ ping: 1 });
    // A timer may fire up to a millisecond early.
    assert.ok(performance.now() - start >= 299);
  });

  it('fails one application only, when it names one', async () => {
    await configure('alwaysOn', { failCommands: ['ping'], errorCode: 8, appName: victim });
    assert.equal((await db.command({ ping: 1 })).ok, 1);
    await withClient({ appName: victim }, async (other) => {
      await assertFails(other.command({ ping: 1 }), 8);
    });
  });
});
