/** Change streams of the embedded MongoDB server, by raw commands. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Long, MongoClient, MongoServerError, Timestamp } from 'mongodb';
import type { Collection, Db, Document } from 'mongodb';
import { startMongoServer, type MongoServer } from '../../src/mongo/server.ts';
import { keysOf, kindsOf, StreamReader, timeOfToken } from '../../../../test/support/stream-reader.ts';
import type { StreamEvent } from '../../../../test/support/stream-reader.ts';

interface Numbered extends Document {
  _id: number;
}

let server: MongoServer;
let client: MongoClient;
let db: Db;
let things: Collection<Numbered>;

before(async () => {
  server = await startMongoServer();
  client = await MongoClient.connect(server.url);
});

after(async () => {
  await client.close();
  await server.close();
});

beforeEach(() => {
  db = client.db(`streams_${randomUUID().slice(0, 8)}`);
  things = db.collection<Numbered>('things');
});

afterEach(async () => {
  await db.dropDatabase();
});

/** An event without its token and times. */
function essence(event: StreamEvent): Document {
  const { _id, clusterTime, wallTime, ...rest } = event;
  assert.ok(_id._data !== '' && clusterTime instanceof Timestamp && wallTime instanceof Date);
  return rest;
}

async function assertFails(promise: Promise<unknown>, code: number, message?: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof MongoServerError, String(error));
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

async function failPoint(name: string, mode: unknown, data: Document = {}): Promise<void> {
  await client.db('admin').command({ configureFailPoint: name, mode, data });
}

describe('the events of a change stream', () => {
  it('report inserts, updates, replacements and deletes with their changes', async () => {
    const stream = await StreamReader.open(db, { collection: 'things' });
    await things.insertMany([{ _id: 1, a: 1, list: [1, 2], sub: { x: 1, y: 2 } }, { _id: 2 }]);
    await things.updateOne({ _id: 1 }, {
      $set: { 'sub.x': 5, fresh: { deep: 1 } },
      $unset: { a: 1 },
      $push: { list: 3 },
    } as Document);
    await things.replaceOne({ _id: 2 }, { b: 1 });
    // A write without a change has no event.
    await things.updateOne({ _id: 2 }, { $set: { b: 1 } });
    await things.deleteOne({ _id: 1 });
    const ns = { db: db.databaseName, coll: 'things' };
    assert.deepEqual((await stream.take(5)).map(essence), [
      {
        operationType: 'insert',
        fullDocument: { _id: 1, a: 1, list: [1, 2], sub: { x: 1, y: 2 } },
        ns,
        documentKey: { _id: 1 },
      },
      { operationType: 'insert', fullDocument: { _id: 2 }, ns, documentKey: { _id: 2 } },
      {
        operationType: 'update',
        ns,
        documentKey: { _id: 1 },
        updateDescription: {
          updatedFields: { fresh: { deep: 1 }, 'list.2': 3, 'sub.x': 5 },
          removedFields: ['a'],
          truncatedArrays: [],
        },
      },
      { operationType: 'replace', fullDocument: { _id: 2, b: 1 }, ns, documentKey: { _id: 2 } },
      { operationType: 'delete', ns, documentKey: { _id: 1 } },
    ]);
  });

  it('have unique, increasing times', async () => {
    const stream = await StreamReader.open(db);
    await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
    await things.deleteMany({});
    const events = await stream.take(6);
    const times = events.map(({ clusterTime }) => clusterTime.toBigInt());
    assert.deepEqual(
      times,
      [...new Set(times)].sort((a, b) => (a < b ? -1 : 1)),
    );
    for (const { _id, clusterTime } of events) {
      const { t, i } = timeOfToken(_id);
      assert.ok(clusterTime.equals(new Timestamp({ t, i })));
      assert.match(_id._data, /^82[\dA-F]+$/);
    }
    const tokens = events.map(({ _id }) => _id._data);
    assert.deepEqual(tokens, tokens.toSorted());
  });

  it('of a database are those of all its collections; of the cluster, of all databases', async () => {
    const other = client.db(`${db.databaseName}_other`);
    const ofDatabase = await StreamReader.open(db);
    const ofCluster = await StreamReader.open(client.db('admin'), { spec: { allChangesForCluster: true } });
    await other.collection<Numbered>('far').insertOne({ _id: 1 });
    await db.collection<Numbered>('a').insertOne({ _id: 2 });
    await db.collection<Numbered>('b').insertOne({ _id: 3 });
    assert.deepEqual(keysOf(await ofDatabase.take(2)), [2, 3]);
    assert.deepEqual(keysOf(await ofCluster.take(3)), [1, 2, 3]);
    await other.dropDatabase();
  });

  it('report a rename with its target, which is dropped without a separate event', async () => {
    await things.insertOne({ _id: 1 });
    await db.collection('old').insertOne({ a: 1 });
    const stream = await StreamReader.open(db);
    const ofTarget = await StreamReader.open(db, { collection: 'old' });
    await things.rename('old', { dropTarget: true });
    const ns = { db: db.databaseName, coll: 'things' };
    const renamed = { operationType: 'rename', ns, to: { db: db.databaseName, coll: 'old' } };
    assert.deepEqual((await stream.take(1)).map(essence), [renamed]);
    assert.deepEqual((await stream.next()).events, []);
    // A stream on the target gets it too, with an invalidate.
    const [event, invalidate] = await ofTarget.take(2);
    assert.deepEqual(event && essence(event), renamed);
    assert.equal(invalidate?.operationType, 'invalidate');
    assert.deepEqual(await db.collection<Numbered>('old').find().toArray(), [{ _id: 1 }]);
  });

  it('end with an invalidate when the collection or the database is dropped', async () => {
    await things.insertOne({ _id: 1 });
    const ofThings = await StreamReader.open(db, { collection: 'things' });
    const ofDatabase = await StreamReader.open(db);
    await db.dropDatabase();
    assert.deepEqual(kindsOf(await ofThings.take(2)), ['drop', 'invalidate']);
    assert.deepEqual(kindsOf(await ofDatabase.take(3)), ['drop', 'dropDatabase', 'invalidate']);
    assert.ok(ofThings.cursorId.isZero() && ofDatabase.cursorId.isZero());
  });

  it('report collections and indexes with showExpandedEvents', async () => {
    const stream = await StreamReader.open(db, { spec: { showExpandedEvents: true } });
    await db.createCollection('things');
    await things.createIndex({ a: 1 });
    await things.insertOne({ _id: 1, a: { 1: 1 } });
    await things.updateOne({ _id: 1 }, { $set: { 'a.1': 2 } });
    await things.dropIndex('a_1');
    await db.command({ collMod: 'things', changeStreamPreAndPostImages: { enabled: true } });
    const events = await stream.take(6);
    assert.deepEqual(kindsOf(events), [
      'create',
      'createIndexes',
      'insert',
      'update',
      'dropIndexes',
      'modify',
    ]);
    const [create, createIndexes, , update] = events;
    assert.equal(create?.nsType, 'collection');
    assert.deepEqual(createIndexes?.operationDescription, {
      indexes: [{ v: 2, key: { a: 1 }, name: 'a_1' }],
    });
    assert.deepEqual(update?.updateDescription?.disambiguatedPaths, { 'a.1': ['a', '1'] });
    assert.ok(events.every(({ collectionUUID }) => String(collectionUUID) === String(create.collectionUUID)));
  });

  it('have the current document, or null, with updateLookup', async () => {
    await things.insertMany([{ _id: 1 }, { _id: 2 }]);
    const stream = await StreamReader.open(db, { spec: { fullDocument: 'updateLookup' } });
    await things.updateMany({}, { $set: { a: 1 } });
    await things.updateOne({ _id: 1 }, { $set: { a: 2 } });
    await things.deleteOne({ _id: 2 });
    const [first, second] = await stream.take(4);
    assert.deepEqual(first?.fullDocument, { _id: 1, a: 2 });
    assert.equal(second?.fullDocument, null);
  });

  it('have the document before and after, if the collection keeps images', async () => {
    await db.createCollection('things', { changeStreamPreAndPostImages: { enabled: true } });
    await db.collection<Numbered>('bare').insertOne({ _id: 1 });
    await things.insertOne({ _id: 1, a: 1 });
    const spec = { fullDocument: 'whenAvailable', fullDocumentBeforeChange: 'whenAvailable' };
    const stream = await StreamReader.open(db, { spec });
    const strict = await StreamReader.open(db, { spec: { fullDocumentBeforeChange: 'required' } });
    await things.updateOne({ _id: 1 }, { $set: { a: 2 } });
    await things.updateOne({ _id: 1 }, { $set: { a: 3 } });
    await things.deleteOne({ _id: 1 });
    await db.collection<Numbered>('bare').updateOne({ _id: 1 }, { $set: { a: 1 } });
    const images = (await stream.take(4)).map(({ fullDocument, fullDocumentBeforeChange }) => [
      fullDocumentBeforeChange,
      fullDocument,
    ]);
    assert.deepEqual(images, [
      [
        { _id: 1, a: 1 },
        { _id: 1, a: 2 },
      ],
      [
        { _id: 1, a: 2 },
        { _id: 1, a: 3 },
      ],
      [{ _id: 1, a: 3 }, undefined],
      [null, null],
    ]);
    await assertFails(strict.next(), 47, /pre-image was not found/);
  });

  it('pass through stages that filter and reshape them, but must keep their token', async () => {
    const stream = await StreamReader.open(db, {
      stages: [
        { $match: { 'ns.coll': { $in: ['things'] }, operationType: { $ne: 'delete' } } },
        { $project: { documentKey: 1, kind: '$operationType', 'ns.coll': 1 } },
        { $addFields: { 'more.than': 'this' } },
      ],
    });
    const plain = await StreamReader.open(db, { stages: [{ $project: { documentKey: 1, ns: 1 } }] });
    const without = await StreamReader.open(db, { stages: [{ $project: { fullDocument: 0 } }] });
    const broken = await StreamReader.open(db, { stages: [{ $unset: '_id' }] });
    await db.collection<Numbered>('others').insertOne({ _id: 5 });
    await things.insertOne({ _id: 1 });
    await things.deleteOne({ _id: 1 });
    const [event] = await stream.take(1);
    assert.deepEqual(
      { ...event, _id: undefined },
      {
        _id: undefined,
        documentKey: { _id: 1 },
        kind: 'insert',
        ns: { coll: 'things' },
        more: { than: 'this' },
      },
    );
    // The deletion was processed, and is before the token.
    const { events, token } = await stream.next();
    assert.deepEqual(events, []);
    assert.deepEqual(Object.keys((await plain.take(3))[0] ?? {}), ['_id', 'ns', 'documentKey']);
    assert.ok((await without.take(3)).every((other) => !('fullDocument' in other)));
    assert.ok(timeOfToken(token).i > timeOfToken(event?._id ?? token).i);
    await assertFails(broken.next(), 280, /was modified by the pipeline/);
    for (const [code, stage] of [
      [20, { $sort: { _id: 1 } }],
      [20, { $out: 'x' }],
      [40324, { $fly: 1 }],
      [40602, { $changeStream: {} }],
      [238, { $redact: '$$KEEP' }],
    ] as const) {
      await assertFails(StreamReader.open(db, { stages: [stage] }), code);
    }
  });
});

describe('a change stream resumes', () => {
  it('after the token of an event, and after one of no event', async () => {
    const stream = await StreamReader.open(db, { collection: 'things' });
    assert.deepEqual(stream.first.events, []);
    await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
    const { events } = await stream.next({ batchSize: 2 });
    for (const name of ['resumeAfter', 'startAfter']) {
      const from = async (token: unknown): Promise<unknown[]> => {
        const again = await StreamReader.open(db, { collection: 'things', spec: { [name]: token } });
        return keysOf(await again.take(1));
      };
      assert.deepEqual(await from(stream.first.token), [1, 2, 3]);
      assert.deepEqual(await from(events[0]?._id), [2, 3]);
      assert.deepEqual(await from(events[1]?._id), [3]);
    }
    // None of this has an event here, and the token still advances.
    await stream.next();
    await db.collection('others').insertOne({});
    const { token } = await stream.next();
    const { token: same } = await stream.next();
    assert.deepEqual(same, token);
    const again = await StreamReader.open(db, { collection: 'things', spec: { resumeAfter: token } });
    await things.insertOne({ _id: 4 });
    assert.deepEqual(keysOf(await again.take(1)), [4]);
  });

  it('from an operation time on, the operation of that time included', async () => {
    const stream = await StreamReader.open(db);
    await things.insertMany([{ _id: 1 }, { _id: 2 }]);
    const [, second] = await stream.take(2);
    const again = await StreamReader.open(db, { spec: { startAtOperationTime: second?.clusterTime } });
    assert.deepEqual(keysOf(await again.take(1)), [2]);
  });

  it('with the first batch, of the requested size', async () => {
    const { first } = await StreamReader.open(db);
    await things.insertMany([{ _id: 1 }, { _id: 2 }, { _id: 3 }]);
    const spec = { resumeAfter: first.token };
    const again = await StreamReader.open(db, { spec, batchSize: 2 });
    assert.deepEqual(keysOf(again.first.events), [1, 2]);
    assert.deepEqual(again.first.token, again.first.events[1]?._id);
    assert.deepEqual(keysOf(await again.take(1)), [3]);
  });

  it('after a drop until the end, and after the end with a recreated collection', async () => {
    const stream = await StreamReader.open(db, { collection: 'things' });
    await things.insertOne({ _id: 1 });
    await things.drop();
    await things.insertOne({ _id: 2 });
    const [, drop, invalidate] = await stream.take(3);
    const afterDrop = await StreamReader.open(db, { collection: 'things', spec: { resumeAfter: drop?._id } });
    assert.equal((await afterDrop.take(1))[0]?.operationType, 'invalidate');
    const started = await StreamReader.open(db, {
      collection: 'things',
      spec: { startAfter: invalidate?._id },
    });
    assert.deepEqual(keysOf(await started.take(1)), [2]);
    const spec = { resumeAfter: invalidate?._id };
    await assertFails(StreamReader.open(db, { collection: 'things', spec }), 260, /invalidate notification/);
  });

  it('not with an invalid token, or that of an event outside of the stream', async () => {
    const open = (spec: Document, collection = 'things') => StreamReader.open(db, { collection, spec });
    const { t, i } = new Timestamp({ t: 1, i: 1 });
    await assertFails(open({ resumeAfter: {} }), 40647);
    await assertFails(open({ resumeAfter: { _data: '' } }), 40649);
    await assertFails(open({ resumeAfter: { _data: 'no hex' } }), 9, /not a valid hex string/);
    await assertFails(open({ resumeAfter: { _data: '82AB' } }), 50811);
    await assertFails(open({ fly: 1 }), 40415);
    await assertFails(open({ fullDocument: 'fly' }), 2);
    const { token } = (await open({})).first;
    await assertFails(open({ resumeAfter: token, startAfter: token }), 50865);
    await assertFails(open({ resumeAfter: token, startAtOperationTime: new Timestamp({ t, i }) }), 40674);
    await assertFails(StreamReader.open(client.db('admin')), 73, /internal admin database/);
    await assertFails(open({}, 'system.views'), 73, /internal .* collection/);
    await assertFails(open({ allChangesForCluster: true }), 72);

    const stream = await StreamReader.open(db);
    await db.collection('others').insertOne({});
    const [other] = await stream.take(1);
    const lost = await open({ resumeAfter: other?._id });
    await assertFails(lost.next(), 280, /the resume token was not found/);
  });
});

describe('a change stream waits', () => {
  it('for the next event, as long as the client requests', async () => {
    const stream = await StreamReader.open(db);
    const waiting = stream.next({ maxTimeMS: 60_000 });
    // Events of another database are not in the stream.
    await client.db(`${db.databaseName}_other`).collection('x').insertOne({});
    await things.insertOne({ _id: 1 });
    assert.equal((await waiting).events.length, 1);
    const start = performance.now();
    assert.deepEqual((await stream.next({ maxTimeMS: 300 })).events, []);
    assert.ok(performance.now() - start >= 299);
    await client.db(`${db.databaseName}_other`).dropDatabase();
  });

  it('until it is killed', async () => {
    const stream = await StreamReader.open(db);
    const waiting = assertFails(stream.next({ maxTimeMS: 60_000 }), 237);
    // Both are on connections of their own: the cursor is in use once another getMore is refused.
    await assertFails(whenInUse(stream), 12051);
    await stream.close();
    await waiting;
    await assertFails(stream.next(), 43);
  });

  async function whenInUse(stream: StreamReader): Promise<void> {
    for (;;) await stream.next({ maxTimeMS: 1 });
  }

  it('during writes at full speed, and returns each event once and in order', async () => {
    const stream = await StreamReader.open(db, { collection: 'things' });
    const total = 6000;
    const write = async (): Promise<void> => {
      for (let start = 0; start < total; start += 500) {
        await things.insertMany(Array.from({ length: 500 }, (_, index) => ({ _id: start + index })));
        await db.collection('others').insertMany(Array.from({ length: 100 }, () => ({})));
      }
    };
    const [events] = await Promise.all([stream.take(total), write()]);
    assert.deepEqual(
      keysOf(events),
      Array.from({ length: total }, (_, index) => index),
    );
  });
});

describe('the replies of a change stream', () => {
  it('end before 16 MB, and have an event of the largest document alone', async () => {
    const stream = await StreamReader.open(db);
    const megabyte = 1024 * 1024;
    await things.insertMany([1, 2, 3, 4].map((_id) => ({ _id, text: 'x'.repeat(5 * megabyte) })));
    await things.insertOne({ _id: 5, text: 'x'.repeat(16 * megabyte - 30) });
    const counts: number[] = [];
    for (let left = 5; left > 0; left -= counts.at(-1) ?? 0) {
      counts.push((await stream.next({ maxTimeMS: 10_000 })).events.length);
    }
    assert.deepEqual(counts, [3, 1, 1]);
  });

  it('fail for an event that is too large, unless a stage makes it smaller', async () => {
    const text = 'x'.repeat(9 * 1024 * 1024);
    await things.insertOne({ _id: 1, text });
    const spec = { fullDocument: 'updateLookup' };
    const stream = await StreamReader.open(db, { spec });
    const slim = await StreamReader.open(db, { spec, stages: [{ $project: { documentKey: 1 } }] });
    await things.updateOne({ _id: 1 }, { $set: { text: `${text}.` } });
    await assertFails(stream.next(), 10334, /BSONObj size: \d+ .* is invalid/);
    assert.equal((await slim.take(1)).length, 1);
  });

  it('have a token each, also when there is no event, and the time of the newest operation', async () => {
    const stream = await StreamReader.open(db);
    await things.insertOne({ _id: 1 });
    const { token, operationTime } = await stream.next();
    const { t, i } = timeOfToken(token);
    assert.ok(new Timestamp({ t, i }).equals(operationTime));
    assert.deepEqual((await stream.next()).token, token);
  });
});

describe('the history that change streams read', () => {
  it('is bounded, and a stream that starts too late gets an error', async () => {
    const small = await startMongoServer({ oplogBytes: 100_000 });
    const other = await MongoClient.connect(small.url);
    try {
      const place = other.db('shop');
      const early = await StreamReader.open(place);
      const late = await StreamReader.open(place);
      await place.collection<Numbered>('a').insertOne({ _id: 0 });
      await early.take(1);
      const { token } = await early.next();
      for (let _id = 1; _id <= 300; _id++) {
        await place.collection<Numbered>('a').insertOne({ _id, text: 'x'.repeat(500) });
      }
      const resume = async (spec: Document) => (await StreamReader.open(place, { spec })).next();
      await assertFails(late.next(), 286, /may no longer be in the oplog/);
      await assertFails(resume({ resumeAfter: token }), 286);
      await assertFails(resume({ startAtOperationTime: early.first.operationTime }), 286);
      // The remaining history can still be read, and is far less than was written.
      await place.collection<Numbered>('b').insertOne({ _id: 0 });
      const { token: start } = (await StreamReader.open(place)).first;
      await place
        .collection<Numbered>('b')
        .insertMany(Array.from({ length: 50 }, (_, _id) => ({ _id: _id + 1 })));
      const now = await resume({ resumeAfter: start });
      assert.equal(now.events.length, 50);
    } finally {
      await other.close();
      await small.close();
    }
  });

  it('can be lost by a fail point, as when the oplog is too short', async () => {
    const stream = await StreamReader.open(db);
    await things.insertOne({ _id: 1 });
    await failPoint('loseOplogHistory', { times: 1 });
    await assert.rejects(stream.next(), (error) => {
      assert.ok(error instanceof MongoServerError);
      assert.equal(error.codeName, 'ChangeStreamHistoryLost');
      assert.ok(error.hasErrorLabel('NonResumableChangeStreamError'));
      return true;
    });
    // From now on it exists again.
    const fresh = await StreamReader.open(db);
    await things.insertOne({ _id: 2 });
    assert.equal((await fresh.take(1)).length, 1);
  });
});

describe('the fail points of change streams', () => {
  afterEach(async () => {
    for (const name of ['silentChangeStreams', 'failGetMoreAfterCursorCheckout']) {
      await failPoint(name, 'off');
    }
  });

  it('silence them: there are no events, and the token does not advance', async () => {
    const stream = await StreamReader.open(db);
    await failPoint('silentChangeStreams', { times: 2 });
    await things.insertOne({ _id: 1 });
    assert.deepEqual((await stream.next()).events, []);
    assert.deepEqual((await stream.next({ maxTimeMS: 1 })).token, stream.first.token);
    assert.equal((await stream.next()).events.length, 1);
  });

  it('fail a getMore with the label by which a driver reopens the stream', async () => {
    const stream = things.watch();
    const received: unknown[] = [];
    const first = StreamReader.open(db);
    await stream.tryNext();
    await first;
    await failPoint('failGetMoreAfterCursorCheckout', { times: 1 }, { errorCode: 189 });
    await things.insertOne({ _id: 1 });
    received.push((await stream.next()).operationType);
    await stream.close();
    assert.deepEqual(received, ['insert']);
    const bare = await StreamReader.open(db);
    await failPoint('failGetMoreAfterCursorCheckout', { times: 1 }, { errorCode: 189 });
    await assert.rejects(bare.next(), (error) => {
      assert.ok(error instanceof MongoServerError && error.hasErrorLabel('ResumableChangeStreamError'));
      return true;
    });
    // The cursor is closed by it, as with mongod.
    await assertFails(bare.next(), 43);
  });
});

describe('a standalone server', () => {
  it('has no change streams and no sessions for retryable writes, and reports that', async () => {
    const standalone = await startMongoServer({ replicaSet: null });
    const other = await MongoClient.connect(standalone.url);
    try {
      const place = other.db('shop');
      await place.collection<Numbered>('a').insertOne({ _id: 1 });
      await place.collection<Numbered>('a').updateOne({ _id: 1 }, { $set: { a: 1 } });
      assert.deepEqual(await place.collection('a').find().toArray(), [{ _id: 1, a: 1 }]);
      const hello = await place.command({ hello: 1 });
      assert.deepEqual(
        [hello.setName, hello.operationTime, hello.$clusterTime],
        [undefined, undefined, undefined],
      );
      await assertFails(
        StreamReader.open(place),
        40573,
        /^The \$changeStream stage is only supported on replica sets$/,
      );
      await assertFails(place.command({ insert: 'a', documents: [{ _id: 2 }], txnNumber: Long.ONE }), 20);
      const readConcern = { level: 'majority', afterClusterTime: new Timestamp({ t: 1, i: 1 }) };
      await assertFails(place.command({ find: 'a', readConcern }), 20, /without replication enabled/);
    } finally {
      await other.close();
      await standalone.close();
    }
  });
});
