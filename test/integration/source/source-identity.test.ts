/** How a source detects that a collection is not the one that was opened, for each kind of server. */

import assert from 'node:assert/strict';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { serialize } from 'bson';
import { after, before, describe, it } from 'node:test';
import { MongoClient, type Collection } from 'mongodb';
import { startMongoServer, type MongoServer } from '../../../packages/trial-servers/src/mongo/server.ts';
import { findFreePort } from '../../../packages/trial-servers/src/port.ts';
import { MigrationError, SourceChangedError } from '../../../src/common/errors.ts';
import { connectMongo } from '../../../src/source/mongo/client.ts';
import { openCollection, type CollectionOptions } from '../../../src/source/mongo/collection.ts';
import type { Source } from '../../../src/source/source.ts';
import { cleanUp, makeDirectory } from '../../support/embedded.ts';
import { documentsOf } from '../../support/fault.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';

const everything = { after: null, until: null };

async function readAll(source: Source): Promise<number> {
  let count = 0;
  for await (const page of source.pages(everything, 10)) count += page.documentCount;
  return count;
}

function assertChanged(promise: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof SourceChangedError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

describe('a collection that is not the one that was opened', () => {
  let sandbox: Sandbox;
  let client: MongoClient;
  let things: Collection;
  before(async () => {
    sandbox = await createSandbox();
    client = await connectMongo(mongoUrl);
    things = sandbox.db.collection('things');
  });
  after(async () => {
    await client.close();
    await sandbox.remove();
  });

  async function open(more: Partial<CollectionOptions> = {}): Promise<Source> {
    for (const { name } of await sandbox.db.listCollections().toArray()) {
      await sandbox.db.dropCollection(name);
    }
    await things.insertMany(documentsOf(40));
    const options = {
      url: mongoUrl,
      db: sandbox.mongoDb,
      collection: 'things',
      retryLimitMs: 0,
      answerTimeoutMs: 0,
    };
    return await openCollection(client, { ...options, ...more });
  }

  for (const scansForPages of [false, true]) {
    describe(scansForPages ? 'read through one cursor' : 'read by a command for each page', () => {
      it('is recognised if nothing has changed', async () => {
        const source = await open({ scansForPages });
        assert.equal(await readAll(source), 40);
        await source.requireUnchanged();
      });

      it('dropped', async () => {
        const source = await open({ scansForPages });
        await things.drop();
        await assertChanged(readAll(source), 'SOURCE_VANISHED', /things no longer exists/);
        await assertChanged(source.requireUnchanged(), 'SOURCE_VANISHED', /./);
      });

      it('renamed, also where another has its name', async () => {
        const source = await open({ scansForPages });
        await things.rename('others');
        await assertChanged(readAll(source), 'SOURCE_RENAMED', /renamed to others while it was read$/);
        await things.insertMany(documentsOf(1));
        await assertChanged(
          readAll(source),
          'SOURCE_RENAMED',
          /renamed to others .*another one has its name$/,
        );
      });

      it('dropped, and replaced by a view of its name', async () => {
        const source = await open({ scansForPages });
        await things.drop();
        await sandbox.db.createCollection('others');
        await sandbox.db.createCollection('things', { viewOn: 'others', pipeline: [] });
        await assertChanged(source.requireUnchanged(), 'SOURCE_REPLACED', /dropped and recreated/);
      });

      it('emptied, with any filter', async () => {
        const source = await open({ scansForPages });
        await things.deleteMany({ _id: { $gt: 0 } as never });
        await source.requireUnchanged();
        await things.deleteMany({});
        await assertChanged(source.requireUnchanged(), 'SOURCE_EMPTIED', /all documents .* were deleted/);
      });
    });
  }

  it('is the same if a filter no longer matches, as documents were changed', async () => {
    const source = await open({ filter: serialize({ even: true }) });
    await things.deleteMany({ even: true });
    assert.equal(await readAll(source), 0);
    await source.requireUnchanged();
  });
});

describe('a secondary that lags behind', () => {
  const setName = 'rs-behind';
  const url = (hosts: readonly string[]): string =>
    `mongodb://${hosts.join(',')}/?replicaSet=${setName}&readPreference=secondary`;

  /** On any one member. */
  async function at(
    host: string | undefined,
    work: (collection: Collection) => Promise<unknown>,
  ): Promise<void> {
    const client = await MongoClient.connect(`mongodb://${host}/?directConnection=true&retryWrites=false`);
    try {
      await work(client.db('school').collection('things'));
    } finally {
      await client.close();
    }
  }

  it('is retried until it has the collection', async (t) => {
    const folder = await makeDirectory(t);
    const ports = [await findFreePort(), await findFreePort()] as const;
    const hosts = ports.map((port) => `127.0.0.1:${port}`);
    const set = { setName, setVersion: 1, hosts, primary: hosts[0] };
    const servers = new Map<'primary' | 'secondary', MongoServer>();
    cleanUp(t, async () => {
      for (const server of servers.values()) await server.close();
    });
    const start = async (member: 'primary' | 'secondary', dataDir: string): Promise<void> => {
      await servers.get(member)?.close();
      const index = member === 'primary' ? 0 : 1;
      const role = member === 'primary' ? {} : { isWritablePrimary: false, ismaster: false };
      const hello = { ...set, me: hosts[index], secondary: member === 'secondary', ...role };
      servers.set(
        member,
        await startMongoServer({ port: ports[index], dataDir: join(folder, dataDir), hello }),
      );
    };
    await start('primary', 'primary');
    await at(hosts[0], (collection) => collection.insertMany(documentsOf(40)));
    for (const copy of ['secondary', 'secondary-later']) {
      await cp(join(folder, 'primary'), join(folder, copy), { recursive: true });
      await rm(join(folder, copy, 'embedded-mongo.lock'));
    }
    await start('secondary', 'secondary');

    const client = await connectMongo(url(hosts));
    cleanUp(t, () => client.close());
    const retries: string[] = [];
    let caughtUp: Promise<void> | undefined;
    const source = await openCollection(client, {
      ...{ url: url(hosts), db: 'school', collection: 'things', retryLimitMs: 30_000, answerTimeoutMs: 0 },
      onRetry: (reason) => {
        retries.push(reason);
        caughtUp ??= start('secondary', 'secondary-later');
      },
    });
    await at(hosts[1], (collection) => collection.drop());
    assert.equal(await readAll(source), 40);
    await caughtUp;
    assert.match(retries[0] ?? '', /a secondary is behind: the collection school\.things no longer exists/);

    // If the primary does not have it either, it was dropped.
    for (const host of hosts) await at(host, (collection) => collection.drop());
    await assert.rejects(
      readAll(source),
      (error) => error instanceof MigrationError && error.code === 'SOURCE_VANISHED',
    );
  });
});
