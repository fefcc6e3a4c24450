import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runCli } from '../support/cli.ts';
import { createSandbox, mongoUrl, type Sandbox } from '../support/servers.ts';

describe('a server without $sample', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    const documents = Array.from({ length: 500 }, (_, index) => ({ _id: index as never, text: 'text' }));
    await sandbox.db.collection('users').insertMany(documents);
  });
  after(async () => {
    await sandbox.remove();
  });

  it('has its columns inferred from the first documents, and this is said', async () => {
    // Only commands of this test's own name fail.
    const appName = sandbox.mongoDb;
    const url = new URL(mongoUrl);
    url.searchParams.set('appName', appName);
    const admin = sandbox.db.client.db('admin');
    const data = { failCommands: ['aggregate'], errorCode: 40324, appName };
    await admin.command({ configureFailPoint: 'failCommand', mode: { times: 1 }, data });
    const { code, stdout, stderr } = await runCli([], {
      ...sandbox.env,
      MONGO_URL: url.href,
      SAMPLE_SIZE: '100',
    });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /the server has no \$sample: columns are inferred from the first 100 documents/);
    assert.match(stdout, /read 500 = copied 500/);
  });
});
