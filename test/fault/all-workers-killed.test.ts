import assert from 'node:assert/strict';
import { it } from 'node:test';
import { act, assertCode, setScene } from '../support/fault.ts';

it('all workers killed at once: others take over', async (t) => {
  const scene = await setScene(t);
  let pids: number[] = [];
  const run = await act(scene.start({ CLUSTER_SIZE: '4' }), (event) => {
    if (event.kind === 'started') pids = event.workerIds.map(Number);
    if (event.kind !== 'progress') return;
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    pids = [];
  });
  assertCode(run, 0);
  assert.equal(run.notices.match(/ended by SIGKILL/g)?.length, 4);
  await scene.assertEqual();
});
