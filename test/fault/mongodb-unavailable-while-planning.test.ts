import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MongoDatabase } from '../../src/source/mongo/mongo-database.ts';
import { SourceError } from '../../src/common/errors.ts';
import type { Source } from '../../src/source/source.ts';
import { takeFailCommand } from '../support/fail-command.ts';
import { withMongoOptions } from '../support/mongo-url.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../support/servers.ts';

describe('MongoDB fails while a plan is made', () => {
  let sandbox: Sandbox;
  let database: MongoDatabase;
  let source: Source;
  const retried: string[] = [];
  before(async () => {
    sandbox = await createSandbox();
    await sandbox.db.collection('things').insertMany([{ a: 1 }, { a: 2 }]);
    database = await MongoDatabase.connect({
      // The driver itself would retry once, which is not what is tested.
      url: withMongoOptions(mongoUrl, { appName: sandbox.mongoDb, retryReads: 'false' }),
      db: sandbox.mongoDb,
      retryLimitMs: 60_000,
      answerTimeoutMs: 60_000,
      onRetry: (reason) => retried.push(reason),
    });
    source = await database.open('things');
  });
  after(async () => {
    await database.close();
    await sandbox.remove();
  });

  for (const [what, command, read] of [
    ['collections are listed', 'listCollections', () => database.listCollections()],
    ['the collection is looked for', 'listCollections', () => database.open('things')],
    ['the first document is read', 'find', () => database.open('things')],
    ['the documents are counted', 'count', () => source.estimateCount()],
    ['a sample is taken', 'aggregate', () => source.sample(2)],
    ['the validator is read', 'listCollections', () => source.hints?.requiredFields()],
    ['indexes are listed', 'listIndexes', () => source.hints?.listIndexes()],
  ] as const) {
    it(`${what}: retried, and reported`, async (t) => {
      retried.length = 0;
      const failCommand = await takeFailCommand(t, sandbox.mongoDb);
      await failCommand.set({ times: 2 }, { failCommands: [command], closeConnection: true });
      const result: unknown = await read();
      assert.equal(await failCommand.turnOff(), 2, 'the commands have failed');
      assert.notEqual(result, undefined);
      assert.equal(retried.length, 1, 'one notice for all tries');
    });
  }

  it('a permanent error (not authorised) is thrown immediately', async (t) => {
    retried.length = 0;
    const failCommand = await takeFailCommand(t, sandbox.mongoDb);
    await failCommand.set({ times: 1 }, { failCommands: ['aggregate'], errorCode: 13 });
    await assert.rejects(source.sample(2), SourceError);
    assert.equal(await failCommand.turnOff(), 1);
    assert.deepEqual(retried, []);
  });
});
