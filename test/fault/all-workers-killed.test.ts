import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pool, processesOf } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import {
  act,
  assertCode,
  killed,
  setScene,
  lacksSeparateWorkers,
  lacksWorkerProcess,
} from '../support/fault.ts';
import { WorkerProcesses } from '../support/worker-processes.ts';

it('all workers killed at once: they are replaced', { skip: lacksWorkerProcess }, async (t) => {
  const scene = await setScene(t);
  // No run can finish before.
  const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause' });
  const run = await act(scene.start({ ...failpoints.env, CLUSTER_SIZE: '4' }), async (event) => {
    if (event.kind !== 'started') return;
    await failpoints.waitUntilFired('primary-after-ack');
    for (const pid of processesOf(event)) process.kill(pid, 'SIGKILL');
    await failpoints.resume('primary-after-ack');
  });
  assertCode(run, 0);
  assert.equal(run.notices.match(/ended by SIGKILL/g)?.length, 4);
  await scene.assertEqual();
});

it(
  'all workers killed in their first batches: they are replaced',
  { skip: lacksSeparateWorkers(pool) },
  async (t) => {
    const scene = await setScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'kill@5x4' });
    const run = await scene.run({ ...failpoints.env, CLUSTER_SIZE: '4' });
    assertCode(run, 0);
    assert.equal(run.notices.split(killed[pool]).length - 1, 4);
    await scene.assertEqual();
  },
);

// Red where a batch is redelivered immediately: the next worker may be dead too, without being noticed yet.
it(
  'all killed at once, twice, while one holds the only document',
  { skip: lacksWorkerProcess },
  async (t) => {
    const scene = await setScene(t, 1);
    const workers = await WorkerProcesses.watch(t, { 'worker-before-commit': 'pausex2' });
    const { failpoints } = workers;
    const started = scene.start({ ...failpoints.env, CLUSTER_SIZE: '4' });
    const running = act(started, () => undefined);
    for (const round of [1, 2]) {
      await failpoints.waitUntilFired('worker-before-commit', round);
      await workers.killAll(started.process.pid ?? 0, 4);
    }
    const run = await running;
    assertCode(run, 0);
    assert.equal(run.notices.match(/ended by SIGKILL/g)?.length, 8);
    assert.doesNotMatch(run.notices, /crashes workers/);
    await scene.assertEqual();
  },
);
