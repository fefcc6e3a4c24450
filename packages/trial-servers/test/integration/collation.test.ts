/**
 * Collections whose texts are compared by a collation.
 *
 * With TEST_MONGO_URL set, the tests run on that server instead: a real mongod must give the same
 * answers, except for what the embedded server refuses.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Double, Long, MongoClient } from 'mongodb';
import type { Collection, CollationOptions, Document, Filter } from 'mongodb';
import { startMongoServer } from '../../src/mongo/server.ts';
import { cleanUp } from '../../../../test/support/embedded.ts';
import { keysOf, StreamReader } from '../../../../test/support/stream-reader.ts';
import { assertFails, useMongo } from '../support/shared-mongo.ts';

/** And objects, which the driver's types do not allow beside others. */
type Id = string | number | Double | Long;

interface Thing extends Document {
  _id: Id;
}

const mongo = useMongo<Thing>('collations', 'given');

const careless: CollationOptions = { locale: 'en', strength: 2 };
const simple: CollationOptions = { locale: 'simple' };

async function createThings(collation: CollationOptions, ids: readonly Id[] = []): Promise<void> {
  await mongo.db.createCollection('things', { collation });
  if (ids.length > 0) await mongo.things.insertMany(ids.map((_id) => ({ _id })));
}

async function idsOf(filter: Filter<Thing>, options: Document = {}): Promise<unknown[]> {
  const found = await mongo.things
    .find(filter, { sort: { _id: 1 }, ...options })
    .project({ _id: 1 })
    .toArray();
  return found.map(({ _id }) => _id as unknown);
}

describe('a collection with a collation', () => {
  it('is listed with its defaults, and so are its indexes', async () => {
    await createThings(careless);
    const filledIn = {
      ...{ locale: 'en', caseLevel: false, caseFirst: 'off', strength: 2, numericOrdering: false },
      ...{ alternate: 'non-ignorable', maxVariable: 'punct', normalization: false, backwards: false },
      version: '57.1',
    };
    const [info] = (await mongo.db.listCollections().toArray()) as Document[];
    assert.deepEqual(info?.options, { collation: filledIn });
    assert.deepEqual(info.idIndex, { v: 2, key: { _id: 1 }, name: '_id_', collation: filledIn });
    await mongo.things.createIndexes([
      { key: { a: 1 }, name: 'inherits' },
      { key: { b: 1 }, name: 'simple', collation: simple },
    ]);
    const again = await mongo.db.command({
      createIndexes: 'things',
      indexes: [{ key: { _id: 1 }, name: '_id_' }],
    });
    assert.equal(again.note, 'all indexes already exist');
    assert.deepEqual(
      (await mongo.things.indexes()).map(({ name, collation }) => [name, collation]),
      [
        ['_id_', filledIn],
        ['inherits', filledIn],
        ['simple', undefined],
      ],
    );
    await assertFails(mongo.things.createIndex({ t: 'text' }), 67, /does not support collation/);
  });

  it('with the simple collation equals one without', async () => {
    await createThings(simple, ['a', 'A']);
    const [info] = (await mongo.db.listCollections().toArray()) as Document[];
    assert.deepEqual(info?.options, {});
  });

  it('treats _ids as equal by the collation, also within objects', async () => {
    await createThings(careless, ['a', { sub: ['x'] } as never, 'e']);
    for (const _id of ['A', { sub: ['X'] } as never, 'E']) {
      await assertFails(mongo.things.insertOne({ _id }), 11000);
    }
    // Field names are not compared by it, and accents differ by this strength.
    await mongo.things.insertMany([{ _id: { SUB: ['x'] } as never }, { _id: 'é' }]);
    assert.equal((await mongo.things.deleteOne({ _id: 'A' })).deletedCount, 1);
    await mongo.things.insertOne({ _id: 'A' });
    await assertFails(mongo.things.updateOne({ _id: 'a' }, { $set: { _id: 'a' } }), 66);
    await assertFails(mongo.things.replaceOne({ _id: 'a' }, { _id: 'a' }), 66);
    assert.equal((await mongo.things.updateOne({ _id: 'a' }, { $set: { n: 1 } })).modifiedCount, 1);
    assert.deepEqual(await mongo.things.findOne({ _id: 'a' }), { _id: 'A', n: 1 });
    assert.equal(
      (await mongo.things.updateOne({ _id: 'a' }, { $set: { n: 2 } }, { upsert: true })).upsertedCount,
      0,
    );
  });

  it('treats 1, 1L and 1.0 as one _id as any collection', async () => {
    await createThings(careless, [1]);
    for (const _id of [new Double(1), Long.fromNumber(1)]) {
      await assertFails(mongo.things.insertOne({ _id }), 11000);
      assert.equal(await mongo.things.countDocuments({ _id }), 1);
    }
  });

  const orders: readonly (readonly [CollationOptions, readonly string[]])[] = [
    [{ locale: 'en', strength: 1, caseLevel: true }, ['e', 'E', 'f', 'F', 'z10', 'z9']],
    [{ locale: 'en' }, ['e', 'E', 'é', 'É', 'f', 'z10', 'z9']],
    [{ locale: 'en', caseFirst: 'upper' }, ['E', 'e', 'É', 'é', 'f']],
    [{ locale: 'en', numericOrdering: true }, ['e', 'f', 'z9', 'z10', 'z010x']],
    [{ locale: 'sv' }, ['a', 'z', 'å', 'ä', 'ö']],
    [{ locale: 'de_AT' }, ['a', 'ä', 'o', 'ö', 'z']],
  ];
  for (const [collation, sorted] of orders) {
    it(`sorts and pages by it: ${JSON.stringify(collation)}`, async () => {
      await createThings(collation, [7, ...sorted.toReversed(), { o: 1 } as never]);
      assert.deepEqual(await idsOf({}), [7, ...sorted, { o: 1 }]);
      assert.deepEqual(await idsOf({}, { batchSize: 2 }), [7, ...sorted, { o: 1 }], 'in several batches');
      assert.deepEqual(await idsOf({}, { sort: { _id: -1 }, batchSize: 2 }), [
        { o: 1 },
        ...sorted.toReversed(),
        7,
      ]);
      // As a reader that continues after the last one of its page.
      const read: string[] = [];
      for (let after: string | undefined; ; after = read.at(-1)) {
        const [next] = await idsOf(after === undefined ? { _id: { $gte: '' } } : { _id: { $gt: after } }, {
          limit: 1,
        });
        if (next === undefined) break;
        read.push(next as string);
      }
      assert.deepEqual(read, sorted);
    });
  }

  it('applies it to all queries, and compares bytes if the command says so', async () => {
    const texts = ['B', 'Éa', 'a', 'b2', 'c', 'éB', 'éc'];
    await createThings(careless, texts);
    const collator = new Intl.Collator('en', { sensitivity: 'accent' });
    const compares = [collator.compare, (a: string, b: string) => (a < b ? -1 : Number(a > b))] as const;
    const operators: Readonly<Record<string, (difference: number) => boolean>> = {
      $eq: (difference) => difference === 0,
      $ne: (difference) => difference !== 0,
      $gt: (difference) => difference > 0,
      $gte: (difference) => difference >= 0,
      $lt: (difference) => difference < 0,
      $lte: (difference) => difference <= 0,
    };
    for (const [index, compare] of compares.entries()) {
      const options = index === 0 ? {} : { collation: simple };
      for (const [operator, isWanted] of Object.entries(operators)) {
        for (const operand of ['A', 'b', 'É', 'ÉA', 'C']) {
          const filter = { _id: { [operator]: operand } } as Filter<Thing>;
          const expected = texts.filter((text) => isWanted(compare(text, operand))).sort(compare);
          const what = `${operator} ${operand} ${JSON.stringify(options)}`;
          assert.deepEqual(await idsOf(filter, { ...options, batchSize: 2 }), expected, what);
          assert.equal(await mongo.things.countDocuments(filter, options), expected.length, what);
          const stages = [{ $match: filter }, { $sort: { _id: 1 } }];
          const found = await mongo.things.aggregate(stages, options).toArray();
          assert.deepEqual(
            found.map(({ _id }) => _id as unknown),
            expected,
            what,
          );
        }
      }
    }
    assert.deepEqual(await idsOf({ _id: { $in: ['A', 'C', 'x'] } }), ['a', 'c']);
    assert.deepEqual(await idsOf({ _id: { $in: ['A', 'c'] } }, { collation: simple }), ['c']);
    assert.deepEqual(await idsOf({ _id: { $nin: ['A', 'C', 'éb', 'ÉC'] } }), ['B', 'b2', 'Éa']);
    assert.deepEqual(await idsOf({ $or: [{ _id: 'A' }, { _id: { $not: { $lt: 'éC' } } }] }), ['a', 'éc']);
    // Patterns match characters.
    assert.deepEqual(await idsOf({ _id: /^A/ }), []);
  });

  it('compares by it in sorts, updates and deletes of other fields as well', async () => {
    await createThings(careless);
    await mongo.things.insertMany([
      { _id: 1, text: 'b', list: ['x'] },
      { _id: 2, text: 'A', list: ['Y', 'z'] },
      { _id: 3, text: 'C' },
    ]);
    assert.deepEqual(await idsOf({}, { sort: { text: 1 } }), [2, 1, 3]);
    assert.deepEqual(await idsOf({}, { sort: { text: 1 }, collation: simple }), [2, 3, 1]);
    await mongo.things.updateMany({ text: 'B' }, { $addToSet: { list: 'X' }, $min: { text: 'B' } });
    assert.deepEqual(await mongo.things.findOne({ _id: 1 }), { _id: 1, text: 'b', list: ['x'] });
    await mongo.things.updateOne({ _id: 2 }, { $pull: { list: 'y' } } as Document);
    await mongo.things.updateOne({ _id: 2 }, { $max: { text: 'a' } }, { collation: simple });
    assert.deepEqual(await mongo.things.findOne({ _id: 2 }), { _id: 2, text: 'a', list: ['z'] });
    const first = await mongo.things.findOneAndDelete({ text: { $gt: 'A' } }, { sort: { text: -1 } });
    assert.equal(first?._id, 3);
    assert.equal((await mongo.things.deleteMany({ text: 'B' }, { collation: simple })).deletedCount, 0);
    assert.equal((await mongo.things.deleteMany({ text: 'B' })).deletedCount, 1);
  });

  it('keeps its order when it is large, and rewritten after most of it is deleted', async () => {
    await createThings({ locale: 'en', strength: 2, numericOrdering: true });
    const ids = Array.from({ length: 3_000 }, (_, index) => `${index % 2 === 0 ? 'k' : 'K'}${index}`);
    const shuffled = ids.toSorted((a, b) =>
      a.split('').reverse().join('') < b.split('').reverse().join('') ? -1 : 1,
    );
    await mongo.things.insertMany(shuffled.map((_id) => ({ _id, text: 'x'.repeat(1_000) })));
    assert.deepEqual(await idsOf({}), ids);
    await mongo.things.deleteMany({ _id: { $gte: 'K100' } });
    assert.deepEqual(await idsOf({}), ids.slice(0, 100));
    await assertFails(mongo.things.insertOne({ _id: 'K0' }), 11000);
  });

  it('is not inherited by change streams: replacing an _id by an equal one is two events', async () => {
    await createThings(careless, ['a']);
    const all = await StreamReader.open(mongo.db, { collection: 'things' });
    const capitals = await StreamReader.open(mongo.db, { stages: [{ $match: { 'documentKey._id': 'A' } }] });
    await mongo.things.deleteOne({ _id: 'A' });
    await mongo.things.insertOne({ _id: 'A' });
    assert.deepEqual(keysOf(await all.take(2)), ['a', 'A']);
    assert.deepEqual(keysOf(await capitals.take(1)), ['A']);
    assert.deepEqual((await capitals.next()).events, []);
  });
});

describe('the embedded server', () => {
  const embedded = useMongo<Thing>('collations', 'embedded');

  it('refuses an invalid collation', async () => {
    const refused: readonly (readonly [CollationOptions, number])[] = [
      [{} as CollationOptions, 40414],
      [{ locale: 'xx' }, 2],
      [{ locale: 'en', strength: 6 }, 2],
      [{ locale: 'en', caseFirst: 'first' }, 2],
      [{ locale: 'en', other: 1 } as CollationOptions, 40415],
    ];
    for (const [collation, code] of refused) {
      await assertFails(embedded.db.createCollection('things', { collation }), code);
      await assertFails(embedded.things.find({}, { collation }).toArray(), code);
    }
  });

  it('refuses unsupported collations', async () => {
    const refused: readonly (readonly [CollationOptions, RegExp])[] = [
      [{ locale: 'en', strength: 4 }, /does not support collations of strength 4; use a real MongoDB/],
      [{ locale: 'en', strength: 2, caseLevel: true }, /collations of strength 2 with caseLevel/],
      [{ locale: 'fr', backwards: true }, /collations with backwards/],
      [{ locale: 'en', alternate: 'shifted', maxVariable: 'space' }, /ignore spaces and not punctuation/],
      [{ locale: 'de@collation=phonebook' }, /the locale de@collation=phonebook of a collation/],
    ];
    for (const [collation, message] of refused) {
      await assertFails(embedded.db.createCollection('things', { collation }), 238, message);
      await assertFails(embedded.things.find({}, { collation }).toArray(), 238, message);
    }
    const view = { viewOn: 'things', pipeline: [], collation: careless };
    await assertFails(embedded.db.createCollection('view', view), 238, /collation of views and time series/);
    const watch = { pipeline: [{ $changeStream: {} }], cursor: {}, collation: careless };
    await assertFails(
      embedded.db.command({ aggregate: 'things', ...watch }),
      238,
      /a collation of a change stream/,
    );
  });

  it('keeps the collation in its files', async (t) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'mongo2pg-'));
    cleanUp(t, () => rm(dataDir, { recursive: true }));
    const withServer = async (
      run: (things: Collection<Thing>, client: MongoClient) => Promise<void>,
    ): Promise<void> => {
      const server = await startMongoServer({ dataDir });
      const client = await MongoClient.connect(server.url);
      try {
        await run(client.db('shop').collection<Thing>('things'), client);
      } finally {
        await client.close();
        await server.close();
      }
    };
    await withServer(async (things, client) => {
      await client.db('shop').createCollection('things', { collation: careless });
      await things.insertMany([{ _id: 'b' }, { _id: 'A' }, { _id: 'C' }]);
    });
    await withServer(async (things) => {
      const found = await things.find({ _id: { $gte: 'a', $lt: 'c' } }, { sort: { _id: 1 } }).toArray();
      assert.deepEqual(found, [{ _id: 'A' }, { _id: 'b' }]);
      await assertFails(things.insertOne({ _id: 'a' }), 11000);
      assert.equal((await things.indexes())[0]?.collation?.strength, 2);
    });
  });
});
