/** How many connections the workers of each host have, while hosts join and leave. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { assertAccount, begin, declareDead, join, longLease, waitForHostId } from '../support/hosts.ts';

/** Fewer than the three hosts request together. */
const limit = 40;

interface Sessions {
  readonly hostId: string;
  /** The share of its workers. */
  readonly share: number;
  /** The open connections of its workers. */
  readonly count: number;
}

async function readSessions(scene: Scene): Promise<Sessions[]> {
  return await scene.query<Sessions & Record<string, unknown>>(
    `SELECT h.host_id AS "hostId", h.connections AS share,
            (SELECT count(*)::int FROM pg_stat_activity
              WHERE application_name = 'mongo2pg worker of host ' || h.host_id AND datname = current_database()) AS count
       FROM mongo2pg.hosts h WHERE h.left_at IS NULL ORDER BY h.host_id`,
  );
}

/**
 * Waits until each host has opened, or closed, as many as it may have.
 * @param isExpected whether they were shared out since
 */
async function waitForShares(
  scene: Scene,
  hosts: number,
  isExpected: (share: number) => boolean,
): Promise<number> {
  let sessions: Sessions[] = [];
  await waitUntil(`${hosts} hosts have their shares of the connections`, async () => {
    sessions = await readSessions(scene);
    const isDone = sessions.every(({ share, count }) => isExpected(share) && count === share);
    return sessions.length === hosts && isDone;
  });
  const [{ share } = { share: 0 }] = sessions;
  assert.ok(
    sessions.every((host) => host.share === share),
    'alike',
  );
  assert.ok(share * hosts <= limit * 0.75, `${hosts} × ${share}`);
  return share;
}

describe('the connections of several hosts', () => {
  // Red where the number of workers is not limited to the share.
  it('are shared out whenever a host joins or leaves, and no host has more than its share', async (t) => {
    const scene = await setScene(t, 1_000);
    await scene.query(`ALTER DATABASE ${scene.db.databaseName} CONNECTION LIMIT ${limit}`);
    const env = { ...longLease, CLUSTER_SIZE: String(limit) };
    const hold = await setFailpoints(t, { 'host-after-take': 'pause@1x*' });
    const held = { ...env, ...hold.env };
    const leader = begin(t, scene, held);
    await hold.waitUntilFired('host-after-take');
    const alone = await waitForShares(scene, 1, (share) => share > 0);
    const second = join(t, scene, held);
    const ofTwo = await waitForShares(scene, 2, (share) => share < alone);
    const third = join(t, scene, held);
    const ofThree = await waitForShares(scene, 3, (share) => share < ofTwo);
    const thirdId = await waitForHostId(scene, third);
    third.process.kill('SIGKILL');
    assert.equal((await third.result).signal, 'SIGKILL');
    await declareDead(scene, thirdId);
    await waitForShares(scene, 2, (share) => share > ofThree);
    await hold.resume('host-after-take');
    for (const run of [leader, second]) assertCode(await run.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 1_000);
  });
});
