/** A leader that is suspended for so long that another leads: it must not change anything any more, and joins again. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailpointRules } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { holdHost, takeOverFrom, wake } from '../support/held-host.ts';
import { assertAccount, begin, hostIdsOf, longLease } from '../support/hosts.ts';

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
  const windows: readonly FailpointRules[] = [
    // With a batch that it has claimed.
    { 'worker-before-commit': 'pause@3x*' },
    { 'primary-before-load-checkpoint': 'pause' },
  ];
  for (const rules of windows) {
    it(`at ${Object.keys(rules).join()}: another leads; when it resumes it writes nothing, and joins again`, async (t) => {
      const scene = await setScene(t, 2_000);
      const first = await holdHost(t, scene, begin, rules, longLease);
      const second = await takeOverFrom(t, scene, first, { 'primary-in-index-build': 'pause' }, longLease);

      const ledger = await readLedger(scene);
      await wake(scene, first);
      assert.deepEqual(await readLedger(scene), ledger);
      await second.resume();
      for (const { run } of [second, first]) assertCode(await run.result, 0);
      assert.equal(hostIdsOf(await first.run.result).length, 2);
      await scene.assertEqual();
      await assertAccount(scene, 2_000);
    });
  }
});
