/** What the embedded MongoDB server's journal keeps, when the server is killed and when it is started again. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Binary, Long, MongoClient, Timestamp } from 'mongodb';
import type { Db, Document } from 'mongodb';
import { startMongoServer, type MongoServerOptions } from '../../src/mongo/server.ts';
import { kindsOf, StreamReader, type Token } from '../../../../test/support/stream-reader.ts';

interface Thing extends Document {
  _id: number;
}

let dataDir: string;
let journal: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'mongo2pg-'));
  journal = join(dataDir, 'embedded-mongo.oplog');
});

afterEach(async () => {
  await rm(dataDir, { recursive: true });
});

async function withServer(
  run: (db: Db, client: MongoClient) => Promise<void>,
  options: MongoServerOptions = {},
): Promise<void> {
  const warnings: string[] = [];
  const onWarning = (message: string): unknown => warnings.push(message);
  const server = await startMongoServer({ dataDir, onWarning, ...options });
  const client = await MongoClient.connect(server.url);
  try {
    await run(client.db('shop'), client);
  } finally {
    await client.close();
    await server.close();
  }
  assert.deepEqual(warnings, []);
}

/** On a server in a process of its own, which is then killed without a clean shutdown. Returns the token of the beginning. */
async function withKilledServer(
  run: (db: Db) => Promise<void>,
  options: MongoServerOptions = {},
): Promise<Token> {
  const module = new URL('../../src/mongo/server.js', import.meta.url).href;
  const code = `import { startMongoServer } from ${JSON.stringify(module)};
    const { url } = await startMongoServer(${JSON.stringify({ dataDir, ...options })});
    console.log(url);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    const [url] = (await once(createInterface(child.stdout), 'line')) as [string];
    const client = await MongoClient.connect(url);
    try {
      const { first } = await StreamReader.open(client.db('shop'));
      await run(client.db('shop'));
      return first.token;
    } finally {
      // First, or the driver may look for the server to end its sessions.
      await client.close();
    }
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

async function writeEverything(db: Db): Promise<void> {
  const things = db.collection<Thing>('things');
  await things.insertMany(Array.from({ length: 10 }, (_, _id) => ({ _id, text: 'old' })));
  await things.updateMany({ _id: { $lt: 3 } }, { $set: { text: 'new' } });
  await things.replaceOne({ _id: 3 }, { text: 'other' });
  await things.deleteMany({ _id: { $gte: 5 } });
  await things.insertOne({ _id: 7, text: 'again' });
  await db.collection<Thing>('gone').insertOne({ _id: 1 });
  await db.collection('gone').drop();
  await db.collection<Thing>('first').insertOne({ _id: 1 });
  await db.collection('first').rename('second');
}

async function checkEverything(db: Db): Promise<void> {
  const found = await db.collection<Thing>('things').find().sort({ _id: 1 }).toArray();
  assert.deepEqual(
    found.map(({ _id, text }) => `${_id} ${String(text)}`),
    ['0 new', '1 new', '2 new', '3 other', '4 old', '7 again'],
  );
  const collections = await db.listCollections().toArray();
  assert.deepEqual(collections.map(({ name }) => name).sort(), ['second', 'things']);
}

describe('the journal', () => {
  it('keeps every write of a server that was killed, and its history', async () => {
    const token = await withKilledServer(writeEverything);
    for (let start = 0; start < 2; start++) {
      await withServer(async (db) => {
        await checkEverything(db);
        const stream = await StreamReader.open(db, { spec: { resumeAfter: token } });
        assert.deepEqual(kindsOf(await stream.take(24)), [
          ...Array.from({ length: 10 }, () => 'insert'),
          ...['update', 'update', 'update', 'replace'],
          ...Array.from({ length: 5 }, () => 'delete'),
          ...['insert', 'insert', 'drop', 'insert', 'rename'],
        ]);
      });
    }
  });

  it('has the history of a server from its start on, also when the first write came later', async () => {
    let token: Token | undefined;
    await withServer(async (db, client) => {
      token = (await StreamReader.open(db)).first.token;
      // Times advance by more than one from here, as after a second.
      const session = client.startSession();
      const clusterTime = new Timestamp({ t: Math.floor(Date.now() / 1000) + 100, i: 1 });
      const signature = { hash: new Binary(Buffer.alloc(20)), keyId: Long.ZERO };
      session.advanceClusterTime({ clusterTime, signature });
      await db.collection<Thing>('things').insertOne({ _id: 1 }, { session });
      await session.endSession();
    });
    await withServer(async (db) => {
      const stream = await StreamReader.open(db, { spec: { resumeAfter: token } });
      assert.deepEqual(kindsOf(await stream.take(1)), ['insert']);
    });
  });

  it('leaves the files as in a dump, after a clean shutdown', async () => {
    await withServer(writeEverything);
    const bson = await readFile(join(dataDir, 'shop', 'things.bson'));
    let count = 0;
    for (let offset = 0; offset < bson.length; offset += bson.readInt32LE(offset)) count++;
    assert.equal(count, 6);
    // They no longer need it.
    await rm(journal, { recursive: true });
    await withServer(checkEverything);
  });

  it('survives two kills', async () => {
    await withKilledServer(writeEverything);
    await withKilledServer(async (db) => {
      await checkEverything(db);
      await db.collection<Thing>('things').updateOne({ _id: 4 }, { $set: { text: 'newer' } });
    });
    await withServer(async (db) => {
      assert.equal((await db.collection<Thing>('things').findOne({ _id: 4 }))?.text, 'newer');
      assert.equal(await db.collection('things').countDocuments(), 6);
    });
  });

  it('discards a truncated last record, and the write with it', async () => {
    await withKilledServer(async (db) => {
      await db.collection<Thing>('things').insertOne({ _id: 1, text: 'old' });
      await db.collection<Thing>('things').updateOne({ _id: 1 }, { $set: { text: 'new' } });
    });
    const [name = ''] = await readdir(journal);
    const { length } = await readFile(join(journal, name));
    await truncate(join(journal, name), length - 1);
    await withServer(async (db) => {
      assert.equal((await db.collection<Thing>('things').findOne({ _id: 1 }))?.text, 'old');
    });
  });

  it('has increasing times over restarts; without it, the history is lost with an error', async () => {
    const times: bigint[] = [];
    let token: Token | undefined;
    for (let start = 0; start < 3; start++) {
      await withServer(async (db) => {
        const stream = await StreamReader.open(db);
        token ??= stream.first.token;
        await db.collection('things').insertOne({ start });
        times.push((await stream.next()).operationTime.toBigInt());
      });
    }
    assert.deepEqual(
      times,
      [...new Set(times)].sort((a, b) => (a < b ? -1 : 1)),
    );
    await rm(journal, { recursive: true });
    await withServer(async (db) => {
      const stream = await StreamReader.open(db, { spec: { resumeAfter: token } });
      await assert.rejects(stream.next(), { code: 286 });
    });
  });

  it('is truncated to its size, while the files are brought up to date', async () => {
    const oplogBytes = 80_000;
    await withServer(
      async (db) => {
        const things = db.collection<Thing>('things');
        await things.insertMany(Array.from({ length: 10 }, (_, _id) => ({ _id })));
        for (let round = 0; round < 300; round++) {
          await things.updateOne({ _id: round % 10 }, { $set: { round, text: 'x'.repeat(1000) } });
        }
        const files = await Promise.all(
          (await readdir(journal)).map((name) => readFile(join(journal, name))),
        );
        const total = files.reduce((sum, { length }) => sum + length, 0);
        assert.ok(total > oplogBytes / 2 && total < oplogBytes * 1.5, `the journal has ${total} bytes`);
      },
      { oplogBytes },
    );
    await withServer(async (db) => {
      const found = await db.collection<Thing>('things').find().sort({ _id: 1 }).toArray();
      assert.deepEqual(
        found.map(({ round }) => round as number),
        Array.from({ length: 10 }, (_, index) => 290 + index),
      );
    });
  });

  it('keeps what a killed server wrote when it is truncated by the next one, which is killed too', async () => {
    const options = { oplogBytes: 80_000 };
    const text = 'x'.repeat(1_000);
    // Over several files of the journal.
    await withKilledServer(async (db) => {
      const things = db.collection<Thing>('things');
      await things.insertMany(Array.from({ length: 30 }, (_, _id) => ({ _id })));
      for (let _id = 0; _id < 30; _id++) await things.updateOne({ _id }, { $set: { text } });
    }, options);
    const [first = ''] = await readdir(journal);
    // The first of these files are removed, and the last is not.
    await withKilledServer(async (db) => {
      for (let count = 0; count < 80; count++) await db.collection('others').insertOne({ text });
    }, options);
    assert.ok(!(await readdir(journal)).includes(first), 'the journal was truncated');
    await withServer(async (db) => {
      assert.equal(await db.collection('things').countDocuments({ text }), 30);
    }, options);
  });

  it('is kept by a standalone too, whose writes outlive it', async () => {
    await withServer(writeEverything, { replicaSet: null });
    await withServer(checkEverything, { replicaSet: null });
  });
});
