import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { migrate, verify } from '../../../src/index.ts';
import { requireId } from '../../../src/source/mongo/documents.ts';
import { canDivide, intervalsBetween } from '../../../src/source/mongo/paging/id-cuts.ts';
import { MongoDatabase } from '../../../src/source/mongo/mongo-database.ts';
import type { Interval } from '../../../src/source/page.ts';
import type { Source } from '../../../src/source/source.ts';
import type { BsonValue } from '../../../src/bson/build.ts';
import { bsonTypes } from '../../../src/bson/types.ts';
import { runCli } from '../../support/cli.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { hostileId, insertIds } from '../../support/hostile-ids.ts';
import { int32, int64, rawDocument, rawString } from '../../support/raw-bson.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';
import { findField, listDocuments } from '../../../src/bson/cursor.ts';
import fc from '../../support/fast-check.ts';

const everything: Interval = { after: null, until: null };

const object = (...elements: Parameters<typeof rawDocument>[0]): BsonValue => ({
  type: bsonTypes.object,
  bytes: rawDocument(elements),
});
const { int, string, date, dbPointer } = bsonTypes;
const twelve = Buffer.alloc(12, 7);

/** Each for five documents with such an `_id`, in pages of one. */
const kinds: readonly (readonly [what: string, id: (n: number) => BsonValue])[] = [
  [
    'an integer-like name that is not first',
    (n) => object([int, 'store', int32(1)], [int, '2024', int32(n)]),
  ],
  ['a date beyond those of JavaScript', (n) => ({ type: date, bytes: int64(2n ** 62n + BigInt(n)) })],
  ['a date before those of JavaScript', (n) => ({ type: date, bytes: int64(-(2n ** 62n) + BigInt(n)) })],
  ['a name that is there twice', (n) => object([int, 'a', int32(1)], [int, 'a', int32(n)])],
  ['a DBPointer', (n) => ({ type: dbPointer, bytes: Buffer.concat([rawString(`c${n}`), twelve]) })],
  ['a text that is no UTF-8', (n) => ({ type: string, bytes: rawString(Buffer.of(0xff, 0x30 + n)) })],
];

describe('positions that JavaScript cannot represent', { skip: lacking('allTypes') }, () => {
  let sandbox: Sandbox;
  let database: MongoDatabase;
  let collections = 0;
  before(async () => {
    sandbox = await createSandbox();
    const options = { url: mongoUrl, db: sandbox.mongoDb, retryLimitMs: 0, answerTimeoutMs: 0 };
    database = await MongoDatabase.connect(options);
  });
  after(async () => {
    await database.close();
    await sandbox.remove();
  });

  /** @returns the collection's name */
  async function store(ids: readonly BsonValue[]): Promise<string> {
    const name = `ids_${collections++}`;
    await insertIds(sandbox.db.collection(name), ids);
    return name;
  }

  async function read(source: Source, intervals: readonly Interval[], limit: number): Promise<Uint8Array[]> {
    const documents: Uint8Array[] = [];
    for (const interval of intervals) {
      for await (const page of source.pages(interval, limit)) documents.push(...listDocuments(page.bytes));
    }
    return documents;
  }

  /** The numbers of the documents that are rows, and of those that are dead letters. */
  async function readArrived(collection: string): Promise<number[]> {
    const { rows } = await sandbox.client.query<{ n: number }>(`SELECT n FROM "${collection}"`);
    const { rows: letters } = await sandbox.client.query<{ document: Buffer }>(
      'SELECT document FROM mongo2pg.dead_letters WHERE collection = $1',
      [`${sandbox.mongoDb}.${collection}`],
    );
    const numbers = [...rows.map(({ n }) => n), ...letters.map(({ document }) => readNumber(document))];
    return numbers.sort((a, b) => a - b);
  }

  for (const [what, idOf] of kinds) {
    it(`${what}: pages of one document, and the run is verified`, async () => {
      const collection = await store([1, 2, 3, 4, 5].map(idOf));
      const settings = {
        mongoUrl,
        mongoDb: sandbox.mongoDb,
        mongoCollection: collection,
        postgresUrl: sandbox.postgresUrl,
      };
      const options = { clusterImplementation: 'inline', clusterSize: 1, itemsPerPage: 1 } as const;
      await migrate({ ...settings, ...options });
      assert.deepEqual(await readArrived(collection), [0, 1, 2, 3, 4]);
      const [verified] = await verify(settings);
      assert.deepEqual(
        [verified?.missing, verified?.extra, verified?.different],
        [0, 0, 0],
        JSON.stringify(verified),
      );
    });
  }

  const ids = fc.array(hostileId, { minLength: 30, maxLength: 60 });

  it('all: the ranges between any of them form the collection, and each is found again', async () => {
    await fc.assert(
      fc.asyncProperty(
        ids,
        fc.integer({ min: 1, max: 4 }),
        fc.infiniteStream(fc.boolean()),
        async (of, limit, coin) => {
          const source = await database.open(await store(of));
          const all = await read(source, [everything], 1000);
          const places = all.map(requireId);
          const cuts = places.filter((place) => canDivide(place) && coin.next().value);
          assert.deepEqual(await read(source, intervalsBetween(cuts), limit), all);
          const documentsAt = async (some: readonly Uint8Array[]): Promise<Uint8Array[]> => [
            ...((await source.lookup?.readByIds(some))?.values() ?? []),
          ];
          const within = (await source.divide?.idsWithin(cuts.toReversed(), everything)) ?? [];
          // A server that answers from the index may normalize a Decimal128: the same position in other bytes.
          assert.deepEqual(await documentsAt(within), await documentsAt(cuts));
          assert.deepEqual(await documentsAt(places), all);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('all: copied by several readers in tiny pages, each exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(hostileId, { minLength: 100, maxLength: 140 }),
        fc.integer({ min: 1, max: 2 }),
        async (of, limit) => {
          const collection = await store(of);
          const stored = await read(await database.open(collection), [everything], 1000);
          await migrate({
            mongoUrl,
            mongoDb: sandbox.mongoDb,
            mongoCollection: collection,
            postgresUrl: sandbox.postgresUrl,
            clusterImplementation: 'inline',
            clusterSize: 2,
            readRanges: 4,
            itemsPerPage: limit,
          });
          assert.deepEqual(
            await readArrived(collection),
            stored.map(readNumber).sort((a, b) => a - b),
          );
        },
      ),
      { numRuns: 4 },
    );
  });

  it('a killed run resumes at each of them', async (t) => {
    const collection = await store(kinds.flatMap(([, idOf]) => Array.from({ length: 9 }, (_, n) => idOf(n))));
    const env = {
      ...sandbox.env,
      MONGO_COLLECTION: collection,
      CLUSTER_SIZE: '1',
      CLUSTER_IMPLEMENTATION: 'inline',
      ITEMS_PER_PAGE: '2',
      READ_RANGES: '2',
    };
    for (let kills = 0; kills < 4; kills++) {
      const { env: failing } = await setFailpoints(t, { 'primary-after-ack': 'kill@4' });
      const { code, stderr } = await runCli([], { ...env, ...failing });
      assert.equal(code, null, stderr);
    }
    const { code, stderr } = await runCli([], env);
    assert.equal(code, 5, stderr);
    assert.deepEqual(
      await readArrived(collection),
      Array.from({ length: kinds.length * 9 }, (_, n) => n),
    );
  });
});

function readNumber(document: Uint8Array): number {
  const field = findField(document, 'n');
  assert.ok(field !== null);
  return Buffer.from(document).readInt32LE(field.valueStart);
}
