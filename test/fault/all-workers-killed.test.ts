import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pool, processesOf } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, killed, setScene, withoutLife, withoutProcess } from '../support/fault.ts';

it('all workers killed at once: others take over', { skip: withoutProcess }, async (t) => {
  const scene = await setScene(t);
  let pids: number[] = [];
  const run = await act(scene.start({ CLUSTER_SIZE: '4' }), (event) => {
    if (event.kind === 'started') pids = processesOf(event);
    if (event.kind !== 'progress') return;
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    pids = [];
  });
  assertCode(run, 0);
  assert.equal(run.notices.match(/ended by SIGKILL/g)?.length, 4);
  await scene.assertEqual();
});

it(
  'all workers dead within their first batches: others take over',
  { skip: withoutLife(pool) },
  async (t) => {
    const scene = await setScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'kill@5x4' });
    const run = await scene.run({ ...failpoints.env, CLUSTER_SIZE: '4' });
    assertCode(run, 0);
    assert.equal(run.notices.split(killed[pool]).length - 1, 4);
    await scene.assertEqual();
  },
);
