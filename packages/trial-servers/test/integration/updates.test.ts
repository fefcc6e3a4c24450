/**
 * update, findAndModify and renameCollection of the embedded MongoDB server.
 *
 * With TEST_MONGO_URL set, the tests run on that server instead: a real mongod must give the same
 * answers, except for what the embedded server refuses.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Decimal128, Double, Int32, Long, MongoClient, MongoServerError, ObjectId, Timestamp } from 'mongodb';
import type { Collection, Db, Document, UpdateFilter } from 'mongodb';
import { startMongoServer, type MongoServer } from '../../src/mongo/server.ts';
import { cleanUp } from '../../../../test/support/embedded.ts';

interface AnyDocument extends Document {
  _id: number;
}

let server: MongoServer | undefined;
let client: MongoClient;
let db: Db;
let things: Collection<AnyDocument>;

before(async () => {
  const given = process.env.TEST_MONGO_URL ?? '';
  if (given === '') server = await startMongoServer();
  client = await MongoClient.connect(server?.url ?? given);
});

after(async () => {
  await client.close();
  await server?.close();
});

beforeEach(() => {
  db = client.db(`updates_${randomUUID().slice(0, 8)}`);
  things = db.collection<AnyDocument>('things');
});

afterEach(async () => {
  await db.dropDatabase();
});

async function assertFails(promise: Promise<unknown>, code: number): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof MongoServerError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

/** The document that an update makes of another one, with the order of its fields. */
async function updated(before: Document, update: Document | Document[]): Promise<[string, unknown][]> {
  await things.deleteMany({});
  await things.insertOne({ _id: 1, ...before });
  await things.updateOne({ _id: 1 }, update);
  const after = await things.findOne({}, { promoteValues: false });
  return Object.entries(after ?? {}).slice(1);
}

/** Each case: a document, an update, and the resulting document. */
const cases: readonly (readonly [string, Document, Document | Document[], Document])[] = [
  [
    '$set in place, and new fields in the order of their names',
    { b: 1, a: 2 },
    { $set: { z: 1, c: 2, b: 3 } },
    { b: 3, a: 2, c: 2, z: 1 },
  ],
  ['$set in objects that it makes', { a: 1 }, { $set: { 'b.c.d': 1 } }, { a: 1, b: { c: { d: 1 } } }],
  [
    '$set in an array, filled up with nulls',
    { a: [1] },
    { $set: { 'a.3': 2, 'a.0': 0 } },
    { a: [0, null, null, 2] },
  ],
  ['$set in an object of an array', { a: [{ b: 1 }] }, { $set: { 'a.0.b': 2 } }, { a: [{ b: 2 }] }],
  [
    '$unset',
    { a: 1, b: { c: 1, d: 2 }, e: [1, 2] },
    { $unset: { a: 1, 'b.c': 1, 'e.0': 1, none: 1 } },
    { b: { d: 2 }, e: [null, 2] },
  ],
  ['$inc, also of what is not there', { a: 1 }, { $inc: { a: 2, b: -1 } }, { a: 3, b: -1 }],
  ['$mul', { a: 3 }, { $mul: { a: 2, b: 2 } }, { a: 6, b: 0 }],
  ['$min and $max', { a: 3, b: 3 }, { $min: { a: 2, b: 4 }, $max: { c: 1 } }, { a: 2, b: 3, c: 1 }],
  ['$rename', { a: 1, b: { c: 2 } }, { $rename: { a: 'z', 'b.c': 'd' } }, { b: {}, d: 2, z: 1 }],
  [
    '$push, of one and of each',
    { a: [1] },
    { $push: { a: 2, b: { $each: [1, 2] } } },
    { a: [1, 2], b: [1, 2] },
  ],
  [
    '$push at a position',
    { a: [1, 2] },
    { $push: { a: { $each: [8, 9], $position: 1 } } },
    { a: [1, 8, 9, 2] },
  ],
  ['$push, cut to the last', { a: [1, 2, 3] }, { $push: { a: { $each: [4], $slice: -2 } } }, { a: [3, 4] }],
  [
    '$addToSet',
    { a: [1, { b: 1 }] },
    { $addToSet: { a: { $each: [1, 2, { b: 1 }, 2] } } },
    { a: [1, { b: 1 }, 2] },
  ],
  ['$pop at both ends', { a: [1, 2], b: [1, 2] }, { $pop: { a: 1, b: -1 } }, { a: [1], b: [2] }],
  [
    '$pull by value and by condition',
    { a: [1, 2, 1], b: [1, 5, 9] },
    { $pull: { a: 1, b: { $gt: 4 } } },
    { a: [2], b: [1] },
  ],
  ['$pull of objects', { a: [{ b: 1, c: 1 }, { b: 2 }] }, { $pull: { a: { b: 1 } } }, { a: [{ b: 2 }] }],
  ['$pullAll', { a: [1, 2, 3] }, { $pullAll: { a: [1, 3] } }, { a: [2] }],
  [
    'a pipeline',
    { a: 1, b: [1, 2, 3], c: 1 },
    [{ $set: { b: [1], d: '$a', 'e.f': { $literal: '$a' } } }, { $unset: 'c' }],
    { a: 1, b: [1], d: 1, e: { f: '$a' } },
  ],
];

describe('an update', () => {
  for (const [name, document, update, expected] of cases) {
    it(`by ${name}`, async () => {
      const found = await updated(document, update);
      const plain = found.map(([key, value]) => [key, toPlain(value)]);
      assert.deepEqual(plain, Object.entries(expected));
    });
  }

  it('computes in the wider type, and an int that overflows becomes a long', async () => {
    const big = 2 ** 31 - 1;
    const before = { i: new Int32(big), l: Long.fromNumber(5), d: new Double(0.5), n: new Int32(2) };
    const inc = { i: new Int32(1), l: new Int32(1), d: new Int32(1), n: new Double(0.5) };
    assert.deepEqual(await updated(before, { $inc: inc }), [
      ['i', Long.fromNumber(2 ** 31)],
      ['l', Long.fromNumber(6)],
      ['d', new Double(1.5)],
      ['n', new Double(2.5)],
    ]);
  });

  it('sets the time of the server', async () => {
    const [[, date] = [], [, time] = []] = await updated(
      {},
      { $currentDate: { a: true, b: { $type: 'timestamp' } } },
    );
    assert.ok(date instanceof Date && Math.abs(Date.now() - date.getTime()) < 60_000);
    assert.ok(time instanceof Timestamp);
  });

  it('replaces all but the _id', async () => {
    await things.insertOne({ _id: 1, a: 1, b: 2 });
    const result = await things.replaceOne({ a: 1 }, { c: 3 });
    assert.deepEqual([result.matchedCount, result.modifiedCount], [1, 1]);
    assert.deepEqual(await things.find().toArray(), [{ _id: 1, c: 3 }]);
    // Equality is checked for the whole sent document.
    assert.equal((await things.replaceOne({ _id: 1 }, { c: 3 })).modifiedCount, 1);
    assert.equal((await things.replaceOne({ _id: 1 }, { _id: 1, c: 3 })).modifiedCount, 0);
    await assertFails(things.replaceOne({ _id: 1 }, { _id: 2 }), 66);
  });

  it('of several documents, of one, and of none', async () => {
    await things.insertMany([1, 2, 3].map((_id) => ({ _id, a: _id === 3 ? 9 : 1 })));
    const many = await things.updateMany({}, { $set: { a: 9 } });
    assert.deepEqual([many.matchedCount, many.modifiedCount], [3, 2]);
    const one = await things.updateOne({ a: 9 }, { $set: { a: 1 } });
    assert.deepEqual([one.matchedCount, one.modifiedCount], [1, 1]);
    assert.equal(await things.countDocuments({ a: 9 }), 2);
    assert.equal((await things.updateOne({ _id: 7 }, { $set: { a: 1 } })).matchedCount, 0);
    assert.equal((await db.collection('none').updateOne({}, { $set: { a: 1 } })).matchedCount, 0);
  });

  it('with upsert, inserts a document made of the filter', async () => {
    const first = await things.updateOne(
      { _id: 5, 'a.b': 1, c: { $gt: 1 }, $and: [{ d: { $eq: 2 } }] },
      { $set: { e: 1 }, $setOnInsert: { f: 1 } },
      { upsert: true },
    );
    assert.deepEqual([first.upsertedId, first.matchedCount], [5, 0]);
    const second = await things.updateOne(
      { _id: 5 },
      { $set: { e: 2 }, $setOnInsert: { f: 2 } },
      { upsert: true },
    );
    assert.deepEqual([second.upsertedId, second.modifiedCount], [null, 1]);
    assert.deepEqual(await things.findOne(), { _id: 5, a: { b: 1 }, d: 2, e: 2, f: 1 });
    const replaced = await things.replaceOne({ x: 1 }, { y: 1 }, { upsert: true });
    assert.ok((replaced.upsertedId as unknown) instanceof ObjectId);
  });

  it('that is invalid fails as with MongoDB, and changes nothing', async () => {
    await things.insertOne({ _id: 1, a: 1, s: 'x', list: [1] });
    const run = (u: unknown, options: Document = {}): Promise<void> =>
      db.command({ update: 'things', updates: [{ q: {}, u, ...options }] }).then((reply) => {
        const [error] = (reply.writeErrors ?? []) as { code: number }[];
        if (error !== undefined) {
          throw new MongoServerError({ code: error.code, message: 'of the statement' });
        }
      });
    for (const [code, update, options] of [
      [66, { $set: { _id: 2 } }],
      [28, { $set: { 'a.b': 1 } }],
      [28, { $set: { 'list.x': 1 } }],
      [40, { $set: { a: 1 }, $inc: { a: 1 } }],
      [40, { $set: { 'b.c': 1, b: 1 } }],
      [9, { $fly: { a: 1 } }],
      [9, { $set: 1 }],
      [14, { $inc: { a: 'x' } }],
      [14, { $inc: { s: 1 } }],
      [2, { $push: { a: 1 } }],
      [52, { a: 1, $set: { b: 1 } }],
      [56, { $set: { 'a..b': 1 } }],
      [9, { a: 1 }, { multi: true }],
    ] as [number, unknown, Document?][]) {
      await assertFails(run(update, options), code);
    }
    assert.deepEqual(await things.find().toArray(), [{ _id: 1, a: 1, s: 'x', list: [1] }]);
  });

  it('that the embedded server does not support is refused as a whole', async (t) => {
    const embedded = await startMongoServer();
    cleanUp(t, () => embedded.close());
    const own = await MongoClient.connect(embedded.url);
    cleanUp(t, () => own.close());
    const things = own.db('updates').collection<AnyDocument>('things');
    await things.insertOne({ _id: 1, list: [1], d: Decimal128.fromString('1') });
    for (const update of [
      { $set: { a: 1, 'list.$': 1 } },
      { $set: { 'list.$[]': 1 } },
      { $bit: { a: { and: 1 } } },
      { $inc: { d: 1 } },
      { $push: { list: { $each: [1], $sort: 1 } } },
      [{ $set: { a: { $add: [1, 2] } } }],
    ]) {
      await assertFails(things.updateOne({ _id: 1 }, update as UpdateFilter<AnyDocument>), 238);
    }
    assert.deepEqual(Object.keys((await things.findOne()) ?? {}), ['_id', 'list', 'd']);
  });

  it('keeps unchanged parts to the byte', async () => {
    const before = {
      kept: { 2: 1, 1: 2 },
      double: new Double(1),
      long: Long.ONE,
      list: [new Int32(1), new Double(1)],
    };
    const after = Object.fromEntries(await updated(before, { $set: { a: 1 } }));
    assert.deepEqual(
      { double: after.double, long: after.long, list: after.list },
      { double: before.double, long: before.long, list: before.list },
    );
  });
});

describe('findAndModify', () => {
  it('returns the document before or after, or deletes it', async () => {
    await things.insertMany([1, 2, 3].map((_id) => ({ _id, a: _id })));
    const sort = { a: -1 } as const;
    assert.deepEqual(await things.findOneAndUpdate({}, { $inc: { a: 10 } }, { sort }), { _id: 3, a: 3 });
    assert.deepEqual(
      await things.findOneAndUpdate(
        { _id: 1 },
        { $inc: { a: 10 } },
        { returnDocument: 'after', projection: { _id: 0 } },
      ),
      { a: 11 },
    );
    assert.deepEqual(await things.findOneAndReplace({ _id: 2 }, { b: 1 }), { _id: 2, a: 2 });
    assert.deepEqual(await things.findOneAndDelete({ _id: 2 }), { _id: 2, b: 1 });
    assert.equal(await things.findOneAndDelete({ _id: 2 }), null);
    assert.deepEqual(
      await things.findOneAndUpdate(
        { _id: 9 },
        { $set: { a: 1 } },
        { upsert: true, returnDocument: 'after' },
      ),
      { _id: 9, a: 1 },
    );
    assert.deepEqual(
      (await things.find().toArray()).map(({ _id }) => _id),
      [1, 3, 9],
    );
  });
});

describe('renameCollection', () => {
  it('keeps documents, indexes and UUID under the new name', async () => {
    const readUuid = async (name: string): Promise<string> => {
      const [found] = await db.listCollections({ name }).toArray();
      return String((found as { info?: { uuid?: unknown } } | undefined)?.info?.uuid);
    };
    await things.insertOne({ _id: 1 });
    await things.createIndex({ a: 1 });
    const uuid = await readUuid('things');
    await db.collection('target').insertOne({ a: 1 });
    await assertFails(things.rename('target'), 48);
    await things.rename('target', { dropTarget: true });
    assert.deepEqual(await db.collection('target').find().toArray(), [{ _id: 1 }]);
    assert.equal((await db.collection('target').indexes()).length, 2);
    assert.equal(await readUuid('target'), uuid);
    assert.deepEqual(await things.find().toArray(), []);
    await assertFails(things.rename('other'), 26);
    // The driver's own method would convert this code to another.
    const target = `${db.databaseName}.target`;
    const { versionArray } = await client.db('admin').command({ buildInfo: 1 });
    const [majorVersion = 0] = versionArray as number[];
    const code = majorVersion < 5 ? 48 : 20;
    await assertFails(client.db('admin').command({ renameCollection: target, to: target }), code);
  });
});

function toPlain(value: unknown): unknown {
  if (value instanceof Int32 || value instanceof Double) return value.valueOf();
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toPlain(part)]));
  }
  return value;
}
