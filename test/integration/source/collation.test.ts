/**
 * Collections whose texts MongoDB compares by a collation. No command of the reader names one, so that each has the
 * collection's: the order of pages, the ends of ranges and the index on `_id` agree.
 */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BSON, type CollationOptions } from 'mongodb';
import { listDocuments } from '../../../src/bson/cursor.ts';
import { migrate, verify, type MigrateSettings, type VerifySettings } from '../../../src/index.ts';
import { chooseCuts, intervalsBetween } from '../../../src/source/mongo/paging/id-cuts.ts';
import { MongoDatabase } from '../../../src/source/mongo/mongo-database.ts';
import type { Interval, Page } from '../../../src/source/page.ts';
import { assertEqualTable } from '../../support/compare.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';

const documents = 3_000;
const everything: Interval = { after: null, until: null };

/** By bytes the letters form four groups; by a collation the numbers count, where `100` is before `20` or after it. */
const idOf = (n: number): string => `${['e', 'E', 'é', 'É'][n % 4] ?? ''}${n}`;

const collations: Readonly<Record<string, CollationOptions>> = {
  careless: { locale: 'en', strength: 1 },
  numeric: { locale: 'en', strength: 2, numericOrdering: true },
  swedish: { locale: 'sv', caseFirst: 'upper' },
};

describe('a collection with a collation', () => {
  let sandbox: Sandbox;
  let database: MongoDatabase;
  before(async () => {
    sandbox = await createSandbox();
    const options = { url: mongoUrl, db: sandbox.mongoDb, retryLimitMs: 0, answerTimeoutMs: 0 };
    database = await MongoDatabase.connect(options);
    for (const [name, collation] of Object.entries(collations)) {
      await sandbox.db.createCollection(name, { collation });
      const ids = Array.from({ length: documents }, (_, n) => idOf(n));
      await sandbox.db
        .collection(name)
        .insertMany(ids.map((_id, n) => ({ _id: _id as never, n, text: `text ${n}` })));
    }
  });
  after(async () => {
    await database.close();
    await sandbox.remove();
  });

  for (const name of Object.keys(collations)) {
    it(`${name}: is read in its own order, also in ranges`, async () => {
      const source = await database.open(name);
      const inOrder = await sandbox.db
        .collection(name)
        .find()
        .sort({ _id: 1 })
        .map(({ n }) => n as number)
        .toArray();
      const { divide } = source;
      assert.ok(divide !== undefined, 'it can be divided');
      const sample = await divide.sampleIds(60);
      assert.ok(sample !== null && sample.ids.length > 40, 'ids were sampled');
      const ranges = intervalsBetween(chooseCuts(sample.ids, 8));
      assert.ok(ranges.length > 4);
      for (const intervals of [[everything], ranges]) {
        const read: number[] = [];
        for (const interval of intervals) {
          for await (const page of source.pages(interval, 97)) read.push(...numbersOf(page));
        }
        assert.deepEqual(read, inOrder);
      }
    });

    it(`${name}: is copied and verified by several readers, and filtered by its collation`, async () => {
      const settings: MigrateSettings & VerifySettings = {
        ...{ mongoUrl, mongoDb: sandbox.mongoDb, mongoCollection: name, postgresUrl: sandbox.postgresUrl },
        ...{ clusterImplementation: 'inline', clusterSize: 1, itemsPerPage: 50, readRanges: 5 },
      };
      await migrate(settings);
      await assertEqualTable(sandbox.db.collection(name), sandbox.client, name);
      const [verified] = await verify(settings);
      assert.deepEqual(
        [verified?.read, verified?.missing, verified?.different, verified?.extra],
        [documents, 0, 0, 0],
      );
      const filter = '{"_id": {"$gte": "E5", "$lt": "e6"}}';
      const found = await sandbox.db.collection(name).countDocuments(JSON.parse(filter) as object);
      assert.ok(found > 0 && found < documents);
      await migrate({ ...settings, filter, postgresSchema: 'filtered' });
      const { rows } = await sandbox.client.query(`SELECT count(*)::int FROM filtered."${name}"`);
      assert.deepEqual(rows, [{ count: found }]);
    });
  }
});

function numbersOf({ bytes }: Page): number[] {
  return listDocuments(bytes).map((document) => (BSON.deserialize(document) as { n: number }).n);
}
