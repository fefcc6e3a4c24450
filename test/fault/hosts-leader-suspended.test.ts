/** A leader that is suspended for so long that another leads: it must not change anything any more, and joins again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFailpoints, type FailpointRules } from '../support/failpoints.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import {
  assertAccount,
  begin,
  expire,
  hostIdsOf,
  join,
  longLease,
  waitForEnd,
  waitForHostId,
} from '../support/hosts.ts';

/** All that a leader writes, and by which transaction. */
async function readLedger(scene: Scene): Promise<unknown[]> {
  const tables = ['jobs', 'job_collections', 'runs', 'ranges', 'batches', 'phases'];
  const ledger: unknown[] = [];
  for (const table of tables) {
    ledger.push(await scene.query(`SELECT *, xmin::text FROM mongo2pg.${table} ORDER BY 1, 2`));
  }
  return ledger;
}

// The first is red where a batch is taken whatever the epoch of its range. At the second the old leader is stopped by more than one
// thing: it stays green without the lock of the table and the epoch of the run, as its next heartbeat ends it.
describe('a leader that is suspended past its lease', () => {
  const places: readonly [FailpointName, FailpointRules][] = [
    // With a batch that it has claimed.
    ['worker-before-commit', { 'worker-before-commit': 'pause@3x*' }],
    ['primary-before-load-checkpoint', { 'primary-before-load-checkpoint': 'pause' }],
  ];
  for (const [place, rules] of places) {
    it(`at ${place}: another leads; when it resumes it writes nothing, and joins again`, async (t) => {
      const scene = await setScene(t, 2_000);
      const still = await setFailpoints(t, rules);
      const first = begin(t, scene, { ...longLease, ...still.env });
      await still.waitUntilFired(place);
      const firstId = await waitForHostId(scene, first);
      first.process.kill('SIGSTOP');
      const hold = await setFailpoints(t, { 'primary-in-index-build': 'pause' });
      const second = join(t, scene, { ...longLease, ...hold.env });
      await waitForHostId(scene, second);
      await expire(scene, firstId);
      await waitForEnd(scene, firstId, 'dead');
      await hold.waitUntilFired('primary-in-index-build');

      const ledger = await readLedger(scene);
      await still.resume(place);
      first.process.kill('SIGCONT');
      await waitForHostId(scene, first);
      assert.deepEqual(await readLedger(scene), ledger);
      await hold.resume('primary-in-index-build');
      for (const { result } of [second, first]) assertCode(await result, 0);
      assert.equal(hostIdsOf(await first.result).length, 2);
      await scene.assertEqual();
      await assertAccount(scene, 2_000);
    });
  }
});
