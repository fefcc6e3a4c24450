import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ObjectId, serialize } from 'bson';
import { MongoBulkWriteError, type Document } from 'mongodb';
import type { Database } from '../../../src/source/database.ts';
import { MongoDatabase } from '../../../src/source/mongo/mongo-database.ts';
import { canDivide, chooseCuts, intervalsBetween } from '../../../src/source/mongo/paging/id-cuts.ts';
import type { Source } from '../../../src/source/source.ts';
import { requireId } from '../../../src/source/mongo/documents.ts';
import type { Interval } from '../../../src/source/page.ts';
import { everyValue } from '../../support/bson-corpus.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';
import { findField, listDocuments } from '../../../src/bson/cursor.ts';
import fc from '../../support/fast-check.ts';

const everything: Interval = { after: null, until: null };

describe('a collection read in ranges', () => {
  let sandbox: Sandbox;
  let database: Database;
  before(async () => {
    sandbox = await createSandbox();
    const options = { url: mongoUrl, db: sandbox.mongoDb, retryLimitMs: 0, answerTimeoutMs: 0 };
    database = await MongoDatabase.connect(options);
    const things = everyValue.map((value) => ({ _id: value as never, thing: 1 }));
    try {
      // Values that equal another, or cannot be an `_id`, are excluded. The driver itself would replace null.
      await sandbox.db.collection('mixed').insertMany(things, { ordered: false, forceServerObjectId: true });
    } catch (error) {
      if (!(error instanceof MongoBulkWriteError)) throw error;
    }
    const numbers = Array.from({ length: 3000 }, (_, index) => ({
      _id: index as never,
      even: index % 2 === 0,
    }));
    await sandbox.db.collection('numbers').insertMany(numbers);
  });
  after(async () => {
    await database.close();
    await sandbox.remove();
  });

  function open(collection: string, filter?: Document): Promise<Source> {
    return database.open(collection, filter && serialize(filter));
  }

  async function readIds(source: Source, intervals: readonly Interval[], limit: number): Promise<string[]> {
    const ids: string[] = [];
    for (const interval of intervals) {
      for await (const page of source.pages(interval, limit)) {
        ids.push(...listDocuments(page.bytes).map((document) => show(requireId(document))));
      }
    }
    return ids;
  }

  const show = (id: Uint8Array): string => Buffer.from(id).toString('hex');

  it('ids of every type: the ranges between any cuts together are the collection, each document once', async () => {
    const source = await open('mixed');
    const all = await readIds(source, [everything], 1000);
    assert.ok(all.length > 60, `${all.length} ids`);
    const types = new Set(all.map((id) => findField(Buffer.from(id, 'hex'), '_id')?.type));
    assert.ok(types.size >= 17, `${types.size} types`);
    const places = all.map((id) => Buffer.from(id, 'hex')).filter(canDivide);
    await fc.assert(
      fc.asyncProperty(fc.subarray(places), fc.integer({ min: 1, max: 9 }), async (cuts, limit) => {
        assert.deepEqual(await readIds(source, intervalsBetween(cuts), limit), all);
      }),
      { numRuns: 8, examples: [[places, 1]] },
    );
  });

  it('ids of every type are found again within an interval, in the order of the pages', async () => {
    const source = await open('mixed');
    const places = (await readIds(source, [everything], 1000))
      .map((id) => Buffer.from(id, 'hex'))
      .filter(canDivide);
    const [cut] = chooseCuts(places, 2);
    assert.ok(cut !== undefined);
    const shuffled = places.toReversed();
    const { divide } = source;
    assert.ok(divide !== undefined);
    const [first, second] = await Promise.all(
      intervalsBetween([cut]).map((interval) => divide.idsWithin(shuffled, interval)),
    );
    assert.deepEqual([...(first ?? []), ...(second ?? [])].map(show), places.map(show));
    assert.deepEqual(first?.at(-1), cut);
  });

  it('a sample has existing ids, in order, and how many documents each represents', async () => {
    const source = await open('numbers');
    const sample = await source.divide?.sampleIds(1000);
    assert.ok(sample !== null && sample !== undefined);
    const all = await readIds(source, [everything], 1000);
    const positions = sample.ids.map((id) => all.indexOf(show(id)));
    assert.ok(positions.every((position, index) => position > (positions[index - 1] ?? -1)));
    assert.equal(Math.round(sample.ids.length * sample.documentsPerId), 3000);
    assert.ok(sample.ids.length > 100);
  });

  it('with a filter, a sample is of ids that match', async () => {
    const source = await open('numbers', { even: true });
    const sample = await source.divide?.sampleIds(1000);
    assert.ok(sample !== null && sample !== undefined);
    const matching = new Set(await readIds(source, [everything], 1000));
    assert.equal(matching.size, 1500);
    assert.ok(sample.ids.length > 20);
    assert.ok(sample.ids.every((id) => matching.has(show(id))));
    assert.equal(Math.round(sample.documentsPerId), 25);
  });

  it('takes no sample of few documents, nor of one; and deleted ids are not found', async () => {
    // The source reads with majority, as of the time at which it was opened or later.
    await sandbox.db.collection('one').insertOne({ _id: 1 as never }, { writeConcern: { w: 'majority' } });
    assert.equal(await (await open('one')).divide?.sampleIds(1000), null);
    const source = await open('numbers');
    const gone = serialize({ _id: new ObjectId() });
    assert.ok(canDivide(gone));
    assert.deepEqual(await source.divide?.idsWithin([gone], everything), []);
    assert.deepEqual(await source.divide?.idsWithin([], everything), []);
  });
});
