/** Two processes that follow the same: the second is refused, and one that was suspended while another took over changes nothing. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BSON } from 'mongodb';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { lacksWorkerProcess } from '../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';

/** Its change is alone in a reply of the stream, and so the first in it. */
const lastId = 77_777;
const lastHex = Buffer.from(BSON.serialize({ _id: lastId })).toString('hex');

const readTables = async (scene: FollowScene): Promise<unknown[]> => [
  await scene.query('SELECT *, xmin::text FROM things ORDER BY _id'),
  await scene.query('SELECT *, xmin::text FROM mongo2pg.slots ORDER BY collection_no, slot'),
];

const readState = async (scene: FollowScene): Promise<unknown[]> => [
  ...(await readTables(scene)),
  await scene.query('SELECT epoch, ended_at FROM mongo2pg.streams'),
];

async function endSessions(scene: FollowScene, which: string): Promise<void> {
  await waitUntil('its sessions are gone', async () => {
    const sessions = await scene.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${which} AND datname = current_database()`,
    );
    return sessions.length === 0;
  });
}

describe('a process that follows what another does', () => {
  // Red where the stream is not locked.
  it('is refused, and the first is not affected', async (t) => {
    const scene = await setFollowScene(t);
    const following = scene.follow(inline);
    await following.until('following');
    for (const args of [[], ['--restart']]) {
      const second = scene.follow(inline, ...args);
      const isFollowing = await second.until('following').then(
        () => true,
        () => false,
      );
      assert.equal(isFollowing, false, 'both follow');
      const { code, stderr, stdout } = await second.result;
      assert.equal(code, ExitCode.usage, stderr);
      assert.match(stderr, /another process follows the same collections \(from .*Postgres process \d+\)/);
      assert.match(stdout, /"code":"STREAM_BUSY"/);
    }
    await scene.collection.updateMany({}, { $set: { text: 'changed' } });
    await scene.untilMerged(following);
    await scene.assertEqual();
    await following.stop();
  });

  // Red where the position is kept whatever the epoch, though the stream is locked. For drains see `merged-once`.
  it('because that was suspended: wherever that resumes, it ends and changes nothing', async (t) => {
    const scene = await setFollowScene(t);
    const windows: readonly [FailpointName, string][] = [
      ['primary-after-finish', ''],
      ['primary-before-journal', `?${lastHex}`],
      ['primary-before-drain', ''],
      ['worker-in-merge', ''],
      ['worker-before-merge-commit', ''],
    ];
    for (const [index, [window, bytes]] of windows.entries()) {
      await t.test(`at ${window}`, async () => {
        const failpoints = await setFailpoints(t, { [window]: `pause${bytes}` });
        const first = scene.follow({ ...inline, ...failpoints.env });
        if (index > 0) await first.until('following');
        const set = (text: string): Promise<unknown> =>
          scene.collection.updateOne({ _id: lastId as never }, { $set: { text } }, { upsert: true });
        await set(`old ${index}`);
        await failpoints.waitUntilFired(window);
        first.process.kill('SIGSTOP');
        await endSessions(scene, "application_name LIKE 'mongo2pg%'");
        const second = scene.follow(inline);
        await second.until('following');
        await set(`new ${index}`);
        await scene.collection.updateMany({ even: true }, { $set: { text: `by the second ${index}` } });
        await scene.untilMerged(second);
        const state = await readState(scene);
        await failpoints.resume(window);
        first.process.kill('SIGCONT');
        const { code, stderr } = await first.result;
        assert.ok(code === ExitCode.target || code === ExitCode.usage, `${code ?? 'a signal'}: ${stderr}`);
        assert.match(stderr, /another process (follows the same|has taken over the stream)/);
        assert.deepEqual(await readState(scene), state, 'it has changed nothing');
        await scene.collection.updateMany({ even: false }, { $set: { text: `after all ${index}` } });
        await scene.untilMerged(second);
        await scene.assertEqual();
        await second.stop();
      });
    }
  });

  // Its worker is not notified: only the ledger stops it.
  // Red where neither the number of the drain nor the epoch is checked when its slot is locked, and, where the other has
  // not drained the slot yet, without the epoch alone.
  for (const isDrained of [true, false]) {
    const when = isDrained ? 'after the other has merged the same document' : 'before the other merges it';
    it(
      `whose worker resumes a merge ${when}: nothing is changed`,
      { skip: lacksWorkerProcess },
      async (t) => {
        const scene = await setFollowScene(t);
        // Whatever is acked by a worker is then a merge.
        const before = scene.follow({ ...inline, VERIFY_SHARE: '0%' });
        await before.until('following');
        await before.stop();
        const failpoints = await setFailpoints(t, {
          'worker-in-merge': 'pause',
          'worker-before-ack': 'pausex*',
        });
        const first = scene.follow({ VERIFY_SHARE: '0%', ...failpoints.env });
        await first.until('following');
        await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'old' } });
        await failpoints.waitUntilFired('worker-in-merge');
        first.process.kill('SIGSTOP');
        await endSessions(
          scene,
          "application_name LIKE 'mongo2pg%' AND application_name NOT LIKE 'mongo2pg worker%'",
        );
        const ofSecond = await setFailpoints(t, isDrained ? {} : { 'primary-before-drain': 'pausex*' });
        const second = scene.follow({ ...inline, VERIFY_SHARE: '0%', ...ofSecond.env });
        await second.until('following');
        await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'new' } });
        if (isDrained) await scene.untilMerged(second);
        else await ofSecond.waitUntilFired('primary-before-drain');
        const state = await readTables(scene);
        await failpoints.resume('worker-in-merge');
        await failpoints.waitUntilFired('worker-before-ack');
        assert.deepEqual(await readTables(scene), state, 'it has changed nothing');
        first.process.kill('SIGKILL');
        await first.result;
        if (!isDrained) await ofSecond.resume('primary-before-drain');
        await scene.untilMerged(second);
        await scene.assertEqual();
        await second.stop();
      },
    );
  }
});
