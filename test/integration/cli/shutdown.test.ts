import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { processesOf, startCli, readEvents } from '../../support/cli.ts';
import { isAlive, waitForProcessEnd } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { createSandbox, type Sandbox } from '../../support/servers.ts';

describe('the end of a run', () => {
  let sandbox: Sandbox;
  before(async () => {
    sandbox = await createSandbox();
    const documents = Array.from({ length: 5_000 }, (_, index) => ({ _id: index as never, index }));
    await sandbox.db.collection('numbers').insertMany(documents);
  });
  after(async () => {
    await sandbox.remove();
  });

  async function countConnections(): Promise<number> {
    const { rows } = await sandbox.client.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'mongo2pg%'",
    );
    return rows[0]?.count ?? 0;
  }

  it('leaves no process and no connection', async (t) => {
    const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
    const run = startCli(['--json', '--if-exists', 'drop'], {
      ...sandbox.env,
      ...failpoints.env,
      MONGO_COLLECTION: 'numbers',
      CLUSTER_SIZE: '4',
      ITEMS_PER_PAGE: '100',
    });
    let pids: number[] = [];
    let connectionsDuring = 0;
    for await (const event of readEvents(run.process)) {
      if (event.kind !== 'started') continue;
      pids = processesOf(event);
      await failpoints.waitUntilFired('primary-before-load-checkpoint');
      connectionsDuring = await countConnections();
      assert.equal((await listAlive(pids)).length, pids.length, 'the workers run');
      await failpoints.resume('primary-before-load-checkpoint');
    }
    const { code, stderr } = await run.result;
    assert.equal(code, 0, stderr);
    assert.equal(pids.length, 4);
    assert.ok(connectionsDuring > 0, 'the check can see the connections');
    assert.deepEqual(await listAlive(pids), []);
    assert.equal(await countConnections(), 0);
  });

  it('is graceful after SIGINT: acked batches are in the table, and the exit code is 130', async () => {
    const run = startCli(['--json', '--if-exists', 'drop'], {
      ...sandbox.env,
      MONGO_COLLECTION: 'numbers',
      CLUSTER_SIZE: '1',
      ITEMS_PER_PAGE: '1',
    });
    let acked = 0;
    let isStopping = false;
    let pids: number[] = [];
    for await (const event of readEvents(run.process)) {
      if (event.kind === 'started') pids = processesOf(event);
      if (event.kind === 'progress') acked = event.documents;
      if (acked === 10 && !isStopping) isStopping = run.process.kill('SIGINT');
    }
    const { code, stderr } = await run.result;
    assert.equal(code, 130, stderr);
    assert.match(stderr, /stopped by SIGINT/);
    assert.ok(acked < 5_000, 'it did not just run to its end');
    const { rows } = await sandbox.client.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM numbers',
    );
    assert.equal(rows[0]?.count, acked);
    assert.deepEqual(await listAlive(pids), []);
    assert.equal(await countConnections(), 0);
  });

  it('leaves no worker behind when the primary is killed', async () => {
    const run = startCli(['--json', '--if-exists', 'drop'], {
      ...sandbox.env,
      MONGO_COLLECTION: 'numbers',
      CLUSTER_SIZE: '2',
      ITEMS_PER_PAGE: '1',
    });
    let pids: number[] = [];
    for await (const event of readEvents(run.process)) {
      if (event.kind !== 'started') continue;
      pids = processesOf(event);
      run.process.kill('SIGKILL');
    }
    const { signal } = await run.result;
    assert.equal(signal, 'SIGKILL');
    assert.equal(pids.length, 2);
    for (const pid of pids) await waitForProcessEnd(pid);
  });
});

async function listAlive(pids: readonly number[]): Promise<number[]> {
  const alive = await Promise.all(pids.map(isAlive));
  return pids.filter((_, index) => alive[index]);
}
