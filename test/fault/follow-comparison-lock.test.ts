/** A cutover and the process that follows do not compare at the same time: neither counts what the other compares at the moment as compared. */

import { describe, it } from 'node:test';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode } from '../support/fault.ts';
import { inline, setFollowScene } from '../support/follow-scene.ts';

describe('a cutover', () => {
  // Red where the cutover takes no lock to compare, and where the process that follows takes none.
  it('waits until the process that follows has finished its comparison', async (t) => {
    const scene = await setFollowScene(t);
    const failpoints = await setFailpoints(t, { 'primary-before-notes-removed': 'pause' });
    const following = scene.follow({ ...inline, VERIFY_SHARE: '100%', ...failpoints.env });
    await following.until('following', ({ collections }) =>
      collections.every(({ proof }) => proof?.verifiedAt != null),
    );
    await scene.collection.updateOne({ _id: 5 as never }, { $set: { text: 'noted' } });
    await failpoints.waitUntilFired('primary-before-notes-removed');
    await scene.untilMerged(following);
    const cutover = scene.start(inline, 'cutover');
    await waitUntil('it waits for the other', async () => {
      const waiting = await scene.query(
        `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
          WHERE l.locktype = 'advisory' AND NOT l.granted AND a.datname = current_database()
            AND a.application_name LIKE 'mongo2pg%'`,
      );
      return waiting.length > 0;
    });
    await failpoints.resume('primary-before-notes-removed');
    assertCode(await cutover.result, 0);
    assertCode(await following.result, 0);
    await scene.assertEqual();
  });
});
