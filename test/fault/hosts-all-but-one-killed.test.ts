/** All hosts but one are killed at once, the leader among them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';
import { assertAccount, begin, expire, join, longLease, readHosts, waitForHostId } from '../support/hosts.ts';

describe('all hosts but one killed', () => {
  // Red where a leader that was declared dead is treated as one that has finished.
  it('that one leads, and finishes what all of them had', async (t) => {
    const scene = await setScene(t, 4_000);
    const runs = [];
    for (const start of [begin, join, join, join]) {
      const batches = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
      runs.push({ batches, run: start(t, scene, { ...longLease, ...batches.env }) });
      await batches.waitUntilFired('worker-before-commit');
    }
    const last = runs.pop();
    assert.ok(last !== undefined);
    const ids = [];
    for (const { run } of runs) ids.push(await waitForHostId(scene, run));
    for (const { run } of runs) run.process.kill('SIGKILL');
    for (const { run } of runs) assert.equal((await run.result).signal, 'SIGKILL');
    for (const hostId of ids) await expire(scene, hostId);
    await last.batches.resume('worker-before-commit');
    assertCode(await last.run.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 4_000);
    assert.deepEqual(
      (await readHosts(scene)).map(({ isLead, endReason }) => [isLead, endReason]),
      [
        [true, 'dead'],
        [false, 'dead'],
        [false, 'dead'],
        [true, 'finished'],
      ],
    );
  });
});
