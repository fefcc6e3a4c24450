/** Two processes that follow the same: the second is refused, and one that stood still while another took over changes nothing. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BSON } from 'mongodb';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';

/** Whose change comes alone, so that it is the first of its reply. */
const lastId = 77_777;
const lastHex = Buffer.from(BSON.serialize({ _id: lastId })).toString('hex');

const readState = async (scene: FollowScene): Promise<unknown[]> => [
  await scene.query('SELECT *, xmin::text FROM things ORDER BY _id'),
  await scene.query('SELECT *, xmin::text FROM mongo2pg.slots ORDER BY collection_no, slot'),
  await scene.query('SELECT epoch, ended_at FROM mongo2pg.streams'),
];

describe('a process that follows what another does', () => {
  it('is refused, and the first is not harmed', async (t) => {
    const scene = await setFollowScene(t);
    const following = scene.follow(inline);
    await following.until('following');
    for (const args of [[], ['--restart']]) {
      const { code, stderr, stdout } = await scene.follow(inline, ...args).result;
      assert.equal(code, ExitCode.usage, stderr);
      assert.match(stderr, /another process follows the same collections \(from .*Postgres process \d+\)/);
      assert.match(stdout, /"code":"STREAM_BUSY"/);
    }
    await scene.collection.updateMany({}, { $set: { text: 'changed' } });
    await scene.untilMerged(following);
    await scene.assertEqual();
    await following.stop();
  });

  it('since that stood still: wherever it wakes up, it ends and changes nothing', async (t) => {
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
        await waitUntil('its sessions are gone', async () => {
          const sessions = await scene.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE application_name LIKE 'mongo2pg%' AND datname = current_database()`,
          );
          return sessions.length === 0;
        });
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
});
