import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { runCli } from '../../support/cli.ts';
import { takeFailCommand } from '../../support/fail-command.ts';
import { lacking } from '../../support/server-features.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('a server without $sample', { skip: lacking('failCommand') }, () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    const documents = Array.from({ length: 500 }, (_, index) => ({ _id: index as never, text: 'text' }));
    await sandbox.db.collection('numbers').insertMany(documents);
    // A field that only the last documents have.
    const named = documents.map(({ _id }) => ({
      _id: `id ${String(_id).padStart(3, '0')}` as never,
      ...(_id > 490 ? { late: 1 } : {}),
    }));
    await sandbox.db.collection('texts').insertMany(named);
  });
  after(async () => {
    await sandbox.remove();
  });

  async function migrateWithoutSample(t: TestContext, collection: string) {
    // Only commands with the name of this test fail: the sample for the plan, and that for the ranges.
    const failCommand = await takeFailCommand(t, sandbox.mongoDb);
    await failCommand.set({ times: 2 }, { failCommands: ['aggregate'], errorCode: 40324 });
    const result = await runCli([], {
      ...sandbox.env,
      MONGO_URL: failCommand.url,
      MONGO_COLLECTION: collection,
      SAMPLE_SIZE: '100',
      ITEMS_PER_PAGE: '20',
    });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /read 500 = copied 500/);
    const { rows } = await sandbox.client.query(
      'SELECT count(*)::int AS ranges FROM mongo2pg.ranges JOIN mongo2pg.runs USING (run_id) WHERE source = $1',
      [`${sandbox.mongoDb}.${collection}`],
    );
    assert.deepEqual(rows, [{ ranges: 1 }], 'it is read in one range');
    return result;
  }

  it('has its columns inferred from all parts of the _id range, with a notice', async (t) => {
    const { stderr } = await migrateWithoutSample(t, 'numbers');
    assert.match(stderr, /the server has no \$sample: columns are inferred from 100 documents of all parts/);
  });

  it('has its columns inferred from both ends if an _id has no middle', async (t) => {
    const { stderr } = await migrateWithoutSample(t, 'texts');
    assert.match(
      stderr,
      /no \$sample: columns are inferred from the first and the last, 100 documents in all/,
    );
    const { rows } = await sandbox.client.query('SELECT count(late)::int AS late FROM texts');
    assert.deepEqual(rows, [{ late: 9 }]);
  });

  // Seen on MongoDB 4.4 with 16 documents of 15 MB: the run ended with exit code 3.
  it('samples on disk what exceeds its memory', async (t) => {
    const failCommand = await takeFailCommand(t, sandbox.mongoDb);
    await failCommand.set({ times: 1 }, { failCommands: ['aggregate'], errorCode: 292 });
    const { code, stderr } = await runCli(['--if-exists', 'drop', '--restart'], {
      ...sandbox.env,
      MONGO_URL: failCommand.url,
      MONGO_COLLECTION: 'numbers',
    });
    assert.equal(code, 0, stderr);
    assert.equal(await failCommand.turnOff(), 1);
    assert.doesNotMatch(stderr, /inferred/);
  });
});
