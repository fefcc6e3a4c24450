import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { serialize } from 'bson';
import { Db, MongoClient, MongoServerError, type CommandFailedEvent } from 'mongodb';
import { findFreePort } from '../../../packages/trial-servers/src/port.ts';
import { startMongoServer, type MongoServer } from '../../../packages/trial-servers/src/mongo/server.ts';
import { ExitCode, SourceError } from '../../../src/common/errors.ts';
import { connectMongo } from '../../../src/source/mongo/client.ts';
import { openCollection } from '../../../src/source/mongo/collection.ts';
import type { Source } from '../../../src/source/source.ts';

const primarySteppedDown = 189;
const readers = 4;
const count = 400;

/** A replica set of one, which sends its `topologyVersion` with the error, as mongod does. */
describe('a primary that steps down under several readers', () => {
  let server: MongoServer;
  let url: string;
  let admin: MongoClient;
  before(async () => {
    const port = await findFreePort();
    const host = `127.0.0.1:${port}`;
    server = await startMongoServer({
      port,
      hello: { setName: 'rs', setVersion: 1, hosts: [host], me: host },
    });
    url = `mongodb://${host}/?replicaSet=rs`;
    admin = await MongoClient.connect(`${server.url}&retryWrites=false`);
    const documents = Array.from({ length: count }, (_, index) => ({ _id: index as never }));
    await admin.db('school').collection('things').insertMany(documents);
  });
  after(async () => {
    await admin.close();
    await server.close();
  });

  /** The pages of all readers are in flight, and then each is refused. */
  function stepDown(times: number): Promise<unknown> {
    const data = {
      failCommands: ['find'],
      errorCode: primarySteppedDown,
      blockConnection: true,
      blockTimeMS: 100,
    };
    return admin.db('admin').command({ configureFailPoint: 'failCommand', mode: { times }, data });
  }

  async function open(client: MongoClient, onRetry?: (reason: string) => void): Promise<Source> {
    return await openCollection(client, {
      url,
      db: 'school',
      collection: 'things',
      retryLimitMs: 20_000,
      answerTimeoutMs: 0,
      ...(onRetry === undefined ? {} : { onRetry }),
    });
  }

  async function readAll(source: Source): Promise<number> {
    let read = 0;
    const part = count / readers;
    await Promise.all(
      Array.from({ length: readers }, async (_, reader) => {
        const id = (n: number): Uint8Array => serialize({ _id: n });
        const interval = { after: id(reader * part - 1), until: id((reader + 1) * part - 1) };
        for await (const page of source.pages(interval, 10)) read += page.documentCount;
      }),
    );
    return read;
  }

  it('reading continues, twice, and the driver gets the topologyVersion of the error', async () => {
    const client = await connectMongo(url);
    try {
      const failures: CommandFailedEvent[] = [];
      client.on('commandFailed', (event) => failures.push(event));
      const source = await open(client);
      for (const stepDowns of [1, 2]) {
        await stepDown(readers);
        assert.equal(await readAll(source), count);
        assert.equal(failures.length, readers * stepDowns);
      }
      for (const { failure } of failures) {
        assert.ok(failure instanceof MongoServerError);
        assert.deepEqual(Object.keys(failure.topologyVersion ?? {}), ['processId', 'counter']);
      }
    } finally {
      await client.close();
    }
  });

  it('errors of the driver itself are retried: the page is read again', async (t) => {
    const client = await connectMongo(url);
    try {
      const reasons: string[] = [];
      const source = await open(client, (reason) => reasons.push(reason));
      const { mock } = t.mock.method(Db.prototype, 'command');
      mock.mockImplementationOnce(() => Promise.reject(new TypeError("reading 'equals'")), 2);
      assert.equal(await readAll(source), count);
      assert.deepEqual(reasons, ["the driver failed (TypeError: reading 'equals')"]);
    } finally {
      await client.close();
    }
  });
});

for (const [what, options] of [
  ['a replica set', {}],
  ['a standalone', { replicaSet: null }],
] as const) {
  describe(`the embedded server reports its state as mongod does, as ${what}`, () => {
    let server: MongoServer;
    before(async () => {
      server = await startMongoServer(options);
    });
    after(() => server.close());

    it('a driver keeps a hello open, and gets repeated answers on one connection', async () => {
      const client = new MongoClient(server.url, { heartbeatFrequencyMS: 500, minHeartbeatFrequencyMS: 500 });
      const failures: unknown[] = [];
      client.on('serverHeartbeatFailed', (event) => failures.push(event));
      await client.connect();
      try {
        for (let awaited = 0; awaited < 2;) {
          const [{ awaited: isAwaited, reply }] = (await once(client, 'serverHeartbeatSucceeded')) as [
            { awaited: boolean; reply: { topologyVersion?: unknown } },
          ];
          if (isAwaited) awaited++;
          assert.ok(reply.topologyVersion !== undefined);
        }
        assert.deepEqual(failures, []);
      } finally {
        await client.close();
      }
    });

    it('only state change errors have a topologyVersion', async () => {
      const client = await MongoClient.connect(server.url);
      try {
        const versions: boolean[] = [];
        for (const errorCode of [10107, 189, 11600, 91, 50, 13]) {
          const data = { failCommands: ['ping'], errorCode };
          const command = { configureFailPoint: 'failCommand', mode: { times: 1 }, data };
          await client.db('admin').command(command);
          const failure: unknown = await client
            .db('admin')
            .command({ ping: 1 })
            .catch((error: unknown) => error);
          assert.ok(failure instanceof MongoServerError);
          versions.push('topologyVersion' in failure);
        }
        assert.deepEqual(versions, [true, true, true, true, false, false]);
      } finally {
        await client.close();
      }
    });
  });
}

describe('a server of a version that the driver does not support', () => {
  for (const [what, hello, code, message] of [
    [
      'too old',
      { maxWireVersion: 8 },
      'SERVER_TOO_OLD',
      /^MongoDB at [\d.:]+ is version 4\.2 \(wire version 8\), and 4\.4 or newer is needed$/,
    ],
    [
      'older than any known version',
      { maxWireVersion: 2 },
      'SERVER_TOO_OLD',
      /^MongoDB at [\d.:]+ is older than 3\.0 \(wire version 2\), and 4\.4 or newer is needed$/,
    ],
    [
      'too new',
      { minWireVersion: 99, maxWireVersion: 99 },
      'SERVER_TOO_NEW',
      /^MongoDB at [\d.:]+ needs wire version 99, and [\d.]+ is the latest that this version supports$/,
    ],
  ] as const) {
    it(`is reported as ${what}, with the fix`, async () => {
      const server = await startMongoServer({ hello });
      try {
        await assert.rejects(connectMongo(`${server.url}&serverSelectionTimeoutMS=500`), (error) => {
          assert.ok(error instanceof SourceError);
          assert.equal(error.exitCode, ExitCode.source);
          assert.equal(error.code, code);
          assert.match(error.message, message);
          assert.match(
            error.fix,
            what === 'too new' ? /update mongo2pg/ : /upgrade the server, or copy from a dump of it/,
          );
          return true;
        });
      } finally {
        await server.close();
      }
    });
  }
});
