import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deserialize, serialize, type Document } from 'bson';
import { MongoClient } from 'mongodb';
import { openCollection } from '../../../src/source/mongo/collection.ts';
import type { Source } from '../../../src/source/source.ts';
import { takeFailCommand } from '../../support/fail-command.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../../support/servers.ts';

const everything = { after: null, until: null };

/** As FerretDB 1 is read, on any server. */
describe('a collection read through one cursor', () => {
  let sandbox: Sandbox;
  let client: MongoClient;
  const ids = [...Array.from({ length: 500 }, (_, index) => index), 'a', 'b', 'c', new Date()];
  before(async () => {
    sandbox = await createSandbox();
    client = await MongoClient.connect(mongoUrl, { appName: sandbox.mongoDb, monitorCommands: true });
    const documents = ids.map((_id): Document => ({ _id, even: Number(_id) % 2 === 0 }));
    await sandbox.db.collection('things').insertMany(documents);
  });
  after(async () => {
    await client.close();
    await sandbox.remove();
  });

  function open(options: { filter?: Uint8Array; onRetry?: (reason: string) => void } = {}): Promise<Source> {
    return openCollection(client, {
      url: mongoUrl,
      db: sandbox.mongoDb,
      collection: 'things',
      retryLimitMs: 10_000,
      answerTimeoutMs: 0,
      scansForPages: true,
      ...options,
    });
  }

  async function readIds(source: Source, onPage?: () => Promise<void>): Promise<unknown[]> {
    const read: unknown[] = [];
    for await (const { bytes } of source.pages(everything, 100)) {
      read.push(...Object.values(deserialize(bytes)).map((document: Document): unknown => document._id));
      await onPage?.();
    }
    return read;
  }

  it('is not divided among several readers, each of which would scan all of it', async () => {
    assert.equal((await open()).divide, undefined);
  });

  it('has every document once, in the order of _id, whatever the types', async () => {
    assert.deepEqual(await readIds(await open()), ids);
  });

  it('has those of a filter', async () => {
    const read = await readIds(await open({ filter: serialize({ even: true }) }));
    assert.deepEqual(
      read,
      ids.filter((id) => Number(id) % 2 === 0),
    );
  });

  it('resumes at its position when the cursor is lost', { skip: lacking('failCommand') }, async (t) => {
    const failCommand = await takeFailCommand(t, sandbox.mongoDb);
    const reasons: string[] = [];
    const source = await open({ onRetry: (reason) => reasons.push(reason) });
    let pages = 0;
    const read = await readIds(source, async () => {
      pages++;
      if (pages !== 3) return;
      await failCommand.set({ times: 1 }, { failCommands: ['getMore'], errorCode: 43 });
    });
    assert.deepEqual(read, ids);
    assert.equal(reasons.length, 1);
  });

  it('leaves no cursor behind', async () => {
    const killed: unknown[] = [];
    client.on('commandStarted', ({ command }) => {
      if ('killCursors' in command) killed.push(command.killCursors);
    });
    for await (const page of (await open()).pages(everything, 100)) {
      assert.equal(page.documentCount, 100);
      break;
    }
    assert.deepEqual(killed, ['things']);
  });
});
