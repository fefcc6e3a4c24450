import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, it, type TestContext } from 'node:test';
import { MongoClient, MongoNetworkError, type MongoClientOptions } from 'mongodb';
import { connectMongo } from '../../src/source/mongo/client.ts';
import { openCollection } from '../../src/source/mongo/collection.ts';
import type { Page } from '../../src/source/page.ts';
import { cleanUp, waitUntil } from '../support/embedded.ts';
import { findPrimaryPort } from '../support/mongo-url.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../support/servers.ts';
import { startProxy, type Proxy } from '../support/tcp-proxy.ts';

const everything = { after: null, until: null };

/**
 * The driver waits for the drain of a socket that was closed before the write and has not reported it yet, which never
 * ends by itself: neither its error nor `socketTimeoutMS` has an effect.
 */
describe('a command to MongoDB that is never answered', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    await sandbox.db.collection('things').insertMany(Array.from({ length: 40 }, (_, _id) => ({ _id })) as []);
  });
  after(() => sandbox.remove());

  /** Has read the first page; the second is requested on a closed socket. */
  async function loseCommand(
    t: TestContext,
    settings: MongoClientOptions,
    connect: (url: string, settings: MongoClientOptions) => Promise<MongoClient> = connectMongo,
  ) {
    const proxy = await startProxy({ port: await findPrimaryPort(mongoUrl) });
    cleanUp(t, () => proxy.close());
    const url = proxy.url(mongoUrl);
    const client = await connect(url, settings);
    cleanUp(t, () => client.close());
    // Two connections.
    await Promise.all([client.db().command({ ping: 1 }), client.db().command({ ping: 1 })]);
    const notices: string[] = [];
    const source = await openCollection(client, {
      url,
      db: sandbox.mongoDb,
      collection: 'things',
      retryLimitMs: 10_000,
      answerTimeoutMs: 0,
      onRetry: (reason) => notices.push(reason),
    });
    const pages = source.pages(everything, 10);
    const first = await pages.next();
    const lost = closeAtWrite(t, proxy);
    const second = pages.next();
    await lost;
    return { client, proxy, pages, notices, first, second };
  }

  async function assertAllRead(
    pages: AsyncGenerator<Page, void>,
    ...begun: IteratorResult<Page, void>[]
  ): Promise<void> {
    const counts = begun.map(({ value }) => value?.documentCount);
    for await (const { documentCount } of pages) counts.push(documentCount);
    assert.deepEqual(counts, [10, 10, 10, 10]);
  }

  it('is retried after twice ANSWER_TIMEOUT_SECONDS', async (t) => {
    const { pages, notices, first, second } = await loseCommand(t, { socketTimeoutMS: 1_000 });
    await assertAllRead(pages, first, await second);
    assert.deepEqual(notices, ['no answer within 2 s']);
  });

  it('is retried soon when the connections of that time are broken', async (t) => {
    const { client, proxy, pages, notices, first, second } = await loseCommand(
      t,
      { socketTimeoutMS: 600_000 },
      // Its sockets are created before they are watched, as those of TLS always are.
      (url, settings) => MongoClient.connect(url, settings),
    );
    await breakConnections(client, proxy);
    await assertAllRead(pages, first, await second);
    assert.deepEqual(notices, ['no answer within 2 s after other connections broke']);
  });

  it('is retried soon when its own socket closes', async (t) => {
    const { pages, notices, first, second } = await loseCommand(t, { socketTimeoutMS: 600_000 });
    await assertAllRead(pages, first, await second);
    assert.deepEqual(notices, ['no answer within 2 s after other connections broke']);
  });
});

/** Closes all connections while a command is running on one. */
async function breakConnections(client: MongoClient, proxy: Proxy): Promise<void> {
  proxy.goSilent('toClient');
  const { toServer } = proxy.bytes;
  const other = client.db().command({ ping: 1 });
  await waitUntil('another command is under way', () => Promise.resolve(proxy.bytes.toServer > toServer));
  await proxy.restore();
  proxy.cut();
  await assert.rejects(other, MongoNetworkError);
}

/** The next command to a proxy finds its socket closed. @returns when that was so */
function closeAtWrite(t: TestContext, { port }: Proxy): Promise<void> {
  return new Promise((resolve) => {
    const mock = t.mock.method(
      Socket.prototype,
      'write',
      function (this: Socket, ...args: Parameters<Duplex['write']>) {
        const isCommand = this.remotePort === port && (args[0] as Buffer).includes('singleBatch');
        if (isCommand) {
          mock.mock.restore();
          this.destroy();
          resolve();
        }
        return Duplex.prototype.write.apply(this, args);
      },
    );
  });
}
