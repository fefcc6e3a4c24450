/** The embedded MongoDB server as a replica set: its hello and times, retried writes, and fail points for stale reads and rollbacks. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Long, MongoClient, MongoServerError, Timestamp } from 'mongodb';
import type { ClientSession, Collection, Db, Document, TopologyDescription } from 'mongodb';
import { startMongoServer, type MongoServer } from '../../src/mongo/server.ts';
import { keysOf, StreamReader } from '../../../../test/support/stream-reader.ts';

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
  db = client.db(`set_${randomUUID().slice(0, 8)}`);
  things = db.collection<Numbered>('things');
});

afterEach(async () => {
  await db.dropDatabase();
});

async function assertFails(promise: Promise<unknown>, code: number, message?: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof MongoServerError, String(error));
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

const admin = (command: Document): Promise<Document> => client.db('admin').command(command);

describe('a replica set of one', () => {
  it('is found by any of its URLs, and its host is its own address', async () => {
    for (const options of ['', '?directConnection=true', '?replicaSet=embedded', '?directConnection=false']) {
      const other = await MongoClient.connect(`mongodb://127.0.0.1:${server.port}/${options}`);
      try {
        const hello = await other.db('x').command({ hello: 1 });
        const host = `127.0.0.1:${server.port}`;
        assert.deepEqual(
          [hello.setName, hello.hosts, hello.me, hello.primary, hello.isWritablePrimary, hello.secondary],
          ['embedded', [host], host, host, true, false],
        );
        assert.ok(hello.electionId !== undefined && hello.topologyVersion !== undefined);
        const { lastWrite, operationTime } = hello as {
          lastWrite: { opTime: { ts: Timestamp } };
          operationTime: Timestamp;
        };
        assert.ok(lastWrite.opTime.ts.equals(operationTime));
        // The driver numbers its writes.
        await other.db(db.databaseName).collection('things').insertOne({ options });
      } finally {
        await other.close();
      }
    }
    assert.equal(await things.countDocuments(), 4);
  });

  it('returns an operation time that advances with writes, and only with them', async () => {
    const time = async (command: Document): Promise<bigint> =>
      ((await db.command(command)).operationTime as Timestamp).toBigInt();
    const first = await time({ insert: 'things', documents: [{ _id: 1 }] });
    assert.equal(await time({ find: 'things' }), first);
    assert.ok((await time({ delete: 'things', deletes: [{ q: {}, limit: 0 }] })) > first);
  });

  it('reads after an existing time, refuses a future one, and an invalid level', async () => {
    await things.insertOne({ _id: 1 });
    const { operationTime } = (await db.command({ find: 'things' })) as { operationTime: Timestamp };
    const find = (readConcern: Document): Promise<Document> => db.command({ find: 'things', readConcern });
    for (const level of ['local', 'majority']) {
      const { cursor } = await find({ level, afterClusterTime: operationTime });
      assert.equal((cursor as { firstBatch: unknown[] }).firstBatch.length, 1);
    }
    const future = new Timestamp({ t: operationTime.t + 1000, i: 1 });
    await assertFails(
      find({ afterClusterTime: future }),
      72,
      /must not be greater than the current clusterTime/,
    );
    await assertFails(find({ level: 'available', afterClusterTime: operationTime }), 72);
    await assertFails(find({ level: 'fly' }), 2);
    await assertFails(find({ level: 'snapshot' }), 238);
    // A time of another server can be waited for.
    const $clusterTime = { clusterTime: future, signature: { hash: Buffer.alloc(20), keyId: Long.ZERO } };
    const small = await startMongoServer();
    const other = await MongoClient.connect(small.url);
    try {
      const reply = await other
        .db('x')
        .command({ find: 'things', readConcern: { afterClusterTime: future }, $clusterTime });
      assert.ok((reply.operationTime as Timestamp).toBigInt() >= future.toBigInt());
    } finally {
      await other.close();
      await small.close();
    }
  });

  it('steps down, refuses writes, and is elected again, and drivers get that immediately', async () => {
    await things.insertOne({ _id: 1 });
    const stream = await StreamReader.open(db);
    const watching = await MongoClient.connect(`mongodb://127.0.0.1:${server.port}/`);
    try {
      await assertFails(admin({ replSetStepDown: 60 }), 262);
      const changed = nextTopology(watching, (topology) => topology.type === 'ReplicaSetNoPrimary');
      await admin({ replSetStepDown: 60, force: true });
      await changed;
      await assertFails(db.command({ insert: 'things', documents: [{ _id: 2 }] }), 10107);
      // With directConnection, the driver accepts any kind of server.
      assert.equal((await things.find().toArray()).length, 1);
      const elected = nextTopology(watching, (topology) => topology.type === 'ReplicaSetWithPrimary');
      // Waits for a primary.
      const written = watching.db(db.databaseName).collection<Numbered>('things').insertOne({ _id: 3 });
      await admin({ replSetFreeze: 0 });
      await Promise.all([elected, written]);
    } finally {
      await admin({ replSetFreeze: 0 });
      await watching.close();
    }
    assert.deepEqual(keysOf(await stream.take(1)), [3]);
  });

  function nextTopology(
    of: MongoClient,
    isWanted: (topology: TopologyDescription) => boolean,
  ): Promise<void> {
    return new Promise((resolve) => {
      of.on('topologyDescriptionChanged', ({ newDescription }) => {
        if (isWanted(newDescription)) resolve();
      });
    });
  }
});

describe('a write that a client sends again', () => {
  // With a separate client: the driver reuses sessions, and numbers its writes itself.
  let other: MongoClient;
  let session: ClientSession;
  let txnNumber: Long;
  beforeEach(async () => {
    other = await MongoClient.connect(server.url, { retryWrites: false });
    session = other.startSession();
    txnNumber = Long.ONE;
  });
  afterEach(async () => {
    await session.endSession();
    await other.close();
  });

  const run = (command: Document): Promise<Document> =>
    other.db(db.databaseName).command({ ...command, txnNumber }, { session });

  it('is done once, and answered as before', async () => {
    const stream = await StreamReader.open(db);
    const insert = { insert: 'things', documents: [{ a: 1 }, { a: 2 }] };
    assert.deepEqual([(await run(insert)).n, (await run(insert)).n], [2, 2]);
    assert.deepEqual((await run(insert)).retriedStmtIds, [0, 1]);
    const next = async (command: Document): Promise<Document[]> => {
      txnNumber = txnNumber.add(1);
      return [await run(command), await run(command)];
    };
    const updates = [
      { q: { a: 1 }, u: { $inc: { b: 1 } } },
      { q: { a: 9 }, u: { $inc: { b: 1 } }, upsert: true },
    ];
    const [first, again] = await next({ update: 'things', updates });
    assert.deepEqual(
      [again?.n, again?.nModified, again?.upserted],
      [first?.n, first?.nModified, first?.upserted],
    );
    const [found, foundAgain] = await next({
      findAndModify: 'things',
      query: { a: 9 },
      update: { $inc: { b: 1 } },
      new: true,
    });
    assert.deepEqual(foundAgain?.value, found?.value);
    const removed = await next({ delete: 'things', deletes: [{ q: {}, limit: 1 }] });
    assert.deepEqual(
      removed.map(({ n }) => n as number),
      [1, 1],
    );
    assert.equal(await things.countDocuments(), 2);
    // Two inserts, an update and an upsert, one more update, a deletion.
    assert.equal((await stream.take(6)).length, 6);
    assert.deepEqual((await stream.next()).events, []);
  });

  it('continues after the statement that failed', async () => {
    await things.insertOne({ _id: 2 });
    const insert = { insert: 'things', documents: [{ _id: 1 }, { _id: 2 }, { _id: 3 }] };
    const first = await run(insert);
    assert.deepEqual([first.n, (first.writeErrors as { index: number }[])[0]?.index], [1, 1]);
    await things.deleteOne({ _id: 2 });
    const again = await run(insert);
    assert.deepEqual([again.n, again.writeErrors, again.retriedStmtIds], [3, undefined, [0]]);
  });

  it('is too old once another has begun, and must be the same command', async () => {
    txnNumber = Long.fromNumber(5);
    await run({ insert: 'things', documents: [{ _id: 1 }] });
    txnNumber = Long.fromNumber(4);
    await assertFails(run({ insert: 'things', documents: [{ _id: 2 }] }), 225, /is prohibited on session/);
    await assertFails(run({ find: 'things' }), 50768);
    txnNumber = Long.fromNumber(6);
    await assertFails(
      run({ update: 'things', updates: [{ q: {}, u: { $set: { a: 1 } }, multi: true }] }).then(
        throwWriteError,
      ),
      72,
    );
    await assertFails(run({ delete: 'things', deletes: [{ q: {}, limit: 0 }] }), 72);
    await assertFails(
      run({ insert: 'things', documents: [{}], startTransaction: true, autocommit: false }),
      238,
    );
  });

  it('is retried by the driver after a transient error, and after a lost reply', async () => {
    for (const data of [{ errorCode: 189 }, { closeConnection: true }]) {
      await admin({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: ['insert'], ...data },
      });
      await things.insertOne({ _id: await things.countDocuments() });
    }
    assert.equal(await things.countDocuments(), 2);
  });

  function throwWriteError({ writeErrors }: Document): void {
    const [error] = writeErrors as { code: number; errmsg: string }[];
    throw new MongoServerError({ message: error?.errmsg ?? '', code: error?.code });
  }
});

describe('the fail points of a replica set', () => {
  const read = async (readConcern: Document = {}): Promise<unknown[]> => {
    const command = { find: 'things', filter: { _id: { $in: [1, 2, 3] } }, sort: { _id: 1 }, readConcern };
    const { cursor } = (await db.command(command)) as { cursor: { firstBatch: Document[] } };
    return cursor.firstBatch;
  };
  const lie = (name: string, mode: unknown): Promise<Document> => {
    const data = { namespace: `${db.databaseName}.things` };
    return admin({ configureFailPoint: name, mode, ...(mode === 'off' ? {} : { data }) });
  };
  afterEach(async () => {
    for (const name of ['staleReads', 'rolledBackWrites']) await lie(name, 'off');
  });

  it('return a stale read, unless a later time is requested', async () => {
    await things.insertMany([{ _id: 1, a: 1 }, { _id: 2 }]);
    const { operationTime: before } = (await db.command({ ping: 1 })) as { operationTime: Timestamp };
    await lie('staleReads', 'alwaysOn');
    const reply = await db.command({ update: 'things', updates: [{ q: { _id: 1 }, u: { $set: { a: 2 } } }] });
    await things.deleteOne({ _id: 2 });
    const old = [{ _id: 1, a: 1 }, { _id: 2 }];
    assert.deepEqual(await read(), old);
    assert.deepEqual(await read({ level: 'majority' }), old);
    assert.deepEqual(await read({ level: 'majority', afterClusterTime: before }), old);
    const asked = { level: 'majority', afterClusterTime: reply.operationTime as Timestamp };
    assert.deepEqual(await read(asked), [{ _id: 1, a: 2 }]);
    assert.equal(await things.countDocuments(), 2);
    await lie('staleReads', 'off');
    assert.deepEqual(await read(), [{ _id: 1, a: 2 }]);
  });

  it('return stale reads a number of times, and of one collection only', async () => {
    await things.insertOne({ _id: 1 });
    await lie('staleReads', { times: 1 });
    await things.insertOne({ _id: 2 });
    await db.collection('others').insertOne({});
    assert.equal(await db.collection('others').countDocuments(), 1);
    assert.equal((await read()).length, 1);
    assert.equal((await read()).length, 2);
  });

  it('show a write that is rolled back to all but majority readers, without an event', async () => {
    await things.insertMany([{ _id: 1, a: 1 }, { _id: 2 }]);
    const stream = await StreamReader.open(db);
    await lie('rolledBackWrites', { times: 3 });
    await things.updateOne({ _id: 1 }, { $set: { a: 2 } });
    await things.deleteOne({ _id: 2 });
    await things.insertOne({ _id: 3 });
    // The fourth is a normal read.
    await things.updateOne({ _id: 1 }, { $set: { b: 1 } });
    assert.deepEqual(await read(), [{ _id: 1, a: 2, b: 1 }, { _id: 3 }]);
    assert.deepEqual(await read({ level: 'majority' }), [{ _id: 1, a: 2, b: 1 }, { _id: 2 }]);
    await lie('rolledBackWrites', 'off');
    const left = await read();
    assert.deepEqual(
      left.map((document) => (document as Numbered)._id),
      [1, 2],
    );
    assert.deepEqual(keysOf(await stream.take(1)), [1]);
    assert.deepEqual((await stream.next()).events, []);
  });

  it('roll back the writes when the primary steps down', async () => {
    await things.insertOne({ _id: 1 });
    await lie('rolledBackWrites', 'alwaysOn');
    await things.insertOne({ _id: 2 });
    assert.equal((await read()).length, 2);
    await admin({ replSetStepDown: 60, force: true });
    await admin({ replSetFreeze: 0 });
    assert.equal((await read()).length, 1);
  });
});
