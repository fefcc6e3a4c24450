/** A host that becomes the leader while a session of the leader before still holds the lock of the job. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lockJob, unlockJob } from '../../src/postgres/ledger/run-lock.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { assertAccount, begin, eventsOf, expire, join, longLease, readHosts } from '../support/hosts.ts';

/** The session that waits for a lock of the test, if there is one. */
async function readWaiting(scene: Scene): Promise<number[]> {
  const rows = await scene.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'`,
  );
  return rows.map(({ pid }) => pid);
}

describe('a host that becomes the leader while the lock is held', () => {
  // Red where it ends with JOB_BUSY.
  it('tries again, and finishes once the lock is released', async (t) => {
    const scene = await setScene(t, 2_000);
    const killing = await setFailpoints(t, { 'primary-before-load-checkpoint': 'kill' });
    assert.equal((await begin(t, scene, { ...longLease, ...killing.env }).result).signal, 'SIGKILL');
    const [job] = await scene.query<{ jobId: string }>('SELECT job_id::text AS "jobId" FROM mongo2pg.jobs');
    assert.ok(job !== undefined);
    await lockJob(scene.client, job.jobId);
    const [first] = await readHosts(scene);
    assert.ok(first !== undefined);
    await expire(scene, first.hostId);
    const second = join(t, scene, longLease);
    const waited = new Set<number>();
    await waitUntil('a second session waits for the lock', async () => {
      assert.equal(second.process.exitCode, null, 'it has given up');
      for (const pid of await readWaiting(scene)) waited.add(pid);
      return waited.size === 2;
    });
    await unlockJob(scene.client, job.jobId);
    const run = await second.result;
    assertCode(run, 0);
    assert.equal(eventsOf(run.stdout).filter(({ kind }) => kind === 'lead-taken').length, 1);
    await scene.assertEqual();
    await assertAccount(scene, 2_000);
    assert.deepEqual(
      (await readHosts(scene)).map(({ isLead, endReason }) => [isLead, endReason]),
      [
        [true, 'dead'],
        [true, 'finished'],
      ],
    );
  });
});
