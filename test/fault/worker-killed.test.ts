import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { describeEvent } from '../../src/observe/describe-event.ts';
import { processesOf, readEvents, startCli } from '../support/cli.ts';
import { lacksWorkerProcess } from '../support/fault.ts';
import { createSandbox, type Sandbox } from '../support/servers.ts';

const amount = 20_000;

describe('a worker killed during a run', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    const documents = Array.from({ length: amount }, (_, index) => ({
      _id: index as never,
      text: `text ${index}`,
    }));
    await sandbox.db.collection('texts').insertMany(documents);
  });
  after(async () => {
    await sandbox.remove();
  });

  it('is replaced, and every document is loaded once', { skip: lacksWorkerProcess }, async () => {
    const run = startCli(['--json'], {
      ...sandbox.env,
      MONGO_COLLECTION: 'texts',
      CLUSTER_SIZE: '2',
      ITEMS_PER_PAGE: '100',
    });
    let victim = 0;
    const notices: string[] = [];
    for await (const event of readEvents(run.process)) {
      if (event.kind === 'started') victim = processesOf(event)[0] ?? 0;
      if (event.kind === 'worker-died') notices.push(describeEvent(event) ?? '');
      if (event.kind === 'progress' && victim !== 0) {
        process.kill(victim, 'SIGKILL');
        victim = 0;
      }
    }
    const { code, stderr } = await run.result;
    assert.equal(code, 0, stderr);
    assert.match(notices.join('\n'), /worker \d+ ended by SIGKILL; a replacement is started/);
    const { rows } = await sandbox.client.query<{ _id: number; text: string }>(
      'SELECT _id, text FROM texts ORDER BY _id',
    );
    assert.deepEqual(
      rows,
      Array.from({ length: amount }, (_, index) => ({ _id: index, text: `text ${index}` })),
    );
  });
});
