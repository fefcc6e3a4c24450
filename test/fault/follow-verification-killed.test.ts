/** The process that follows is killed while it compares documents in the background: no note is lost, and no difference missed. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runCli } from '../support/cli.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { documentsOf } from '../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';

const all = { ...inline, VERIFY_SHARE: '100%' };

/** Waits until all documents are compared, and only those that differ are noted. */
async function untilProven(scene: FollowScene, different: number): Promise<void> {
  await waitUntil('all documents are compared', async () => {
    const [row] = await scene.query<{ isProven: boolean }>(
      `SELECT EXISTS (SELECT FROM mongo2pg.verifications WHERE finished_at IS NOT NULL)
              AND NOT EXISTS (SELECT FROM mongo2pg.notes)
              AND (SELECT count(*) FROM mongo2pg.unverified) = $1
              AND (SELECT count(*) FROM mongo2pg.unverified WHERE is_different) = $1 AS "isProven"`,
      [different],
    );
    return row?.isProven === true;
  });
}

describe('a primary that compares while it follows', () => {
  for (const [window, hit] of [
    ['primary-after-verification-begins', 1],
    ['primary-before-verified-page', 2],
    ['primary-after-verified-page', 2],
    ['primary-before-generation', 1],
    ['primary-before-notes-removed', 1],
    ['worker-before-settle', 1],
  ] as const) {
    it(`killed: ${window}`, async (t) => {
      const scene = await setFollowScene(t, 3_000);
      const failpoints = await setFailpoints(t, { [window]: `kill@${hit}` });
      const first = scene.follow({ ...all, ...failpoints.env });
      await first.until('following');
      // One document differs, so that there is always something to be noted.
      await scene.query(`UPDATE things SET text = 'tampered' WHERE _id = '5'`);
      await scene.collection.updateMany({ even: true }, { $set: { text: 'changed' } });
      await first.result;
      assert.equal(await failpoints.countFirings(window), 1);
      await scene.collection.insertMany(documentsOf(50, 10_000));
      const following = scene.follow(all);
      await scene.untilMerged(following);
      await untilProven(scene, 1);
      await scene.collection.updateOne({ _id: 5 as never }, { $set: { text: 'healed' } });
      await scene.untilMerged(following);
      await untilProven(scene, 0);
      const cutOver = await runCli(['cutover'], { ...scene.env, ...inline });
      assert.equal(cutOver.code, 0, cutOver.stdout + cutOver.stderr);
      assert.match(cutOver.stdout, /compared while following/);
      await scene.assertEqual();
      assert.equal((await following.result).code, 0);
    });
  }
});
