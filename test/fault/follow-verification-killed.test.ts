/** The process that follows is killed while it compares documents in the background: no note is lost, and no difference missed. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { runCli } from '../support/cli.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { documentsOf } from '../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';

const all = { ...inline, VERIFY_SHARE: '100%' };
const unproven = { ...inline, VERIFY_SHARE: '0%' };

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

/** Follows until there is nothing to merge, and until all is compared where it compares. */
async function followOnce(scene: FollowScene, env: Readonly<Record<string, string>>): Promise<void> {
  const following = scene.follow(env);
  await following.until('following', ({ collections }) =>
    collections.every(({ proof }) => env === unproven || proof?.verifiedAt != null),
  );
  await scene.untilMerged(following);
  await following.stop();
}

/** The rows of these documents are written by another program. */
async function tamper(scene: FollowScene, ids: readonly number[]): Promise<void> {
  await scene.query("UPDATE things SET text = 'tampered' WHERE _id::text = ANY ($1)", [ids.map(String)]);
}

/** The next process finds what differs; a change of each document heals it. */
async function assertFound(scene: FollowScene, ids: readonly number[]): Promise<void> {
  const following = scene.follow(all);
  await scene.untilMerged(following);
  await untilProven(scene, ids.length);
  await scene.collection.updateMany({ _id: { $in: ids as never[] } }, { $set: { text: 'healed' } });
  await scene.untilMerged(following);
  await untilProven(scene, 0);
  const cutOver = await runCli(['cutover'], { ...scene.env, ...inline });
  assert.equal(cutOver.code, 0, cutOver.stdout + cutOver.stderr);
  assert.match(cutOver.stdout, /compared while following/);
  await scene.assertEqual();
  assert.equal((await following.result).code, 0);
}

async function followUntilKilled(
  t: TestContext,
  scene: FollowScene,
  window: FailpointName,
  hit = 1,
): Promise<void> {
  const failpoints = await setFailpoints(t, { [window]: `kill@${hit}` });
  const killed = scene.follow({ ...all, ...failpoints.env });
  await killed.result;
  assert.equal(await failpoints.countFirings(window), 1);
}

describe('a primary that compares all documents while it follows', () => {
  // Red where the position is kept before its page is compared, and where a page that is compared again must not meet what it noted.
  for (const [window, hit] of [
    ['primary-after-verification-begins', 1],
    ['primary-before-verified-page', 2],
    ['primary-after-verified-page', 2],
  ] as const) {
    it(`killed: ${window}`, async (t) => {
      const scene = await setFollowScene(t, 3_000);
      await followOnce(scene, unproven);
      // In the first page, in the second, and later. A page has 50 documents.
      const ids = [5, 55, 2_001];
      await tamper(scene, ids);
      await scene.collection.updateMany({ even: true }, { $set: { text: 'changed' } });
      await followUntilKilled(t, scene, window, hit);
      await scene.collection.insertMany(documentsOf(50, 10_000));
      await assertFound(scene, ids);
    });
  }
});

describe('a primary that compares what was merged since', () => {
  // Red where notes are removed before their documents are compared, and where a document that is compared again must not meet
  // what it noted.
  for (const window of [
    'primary-before-generation',
    'primary-before-notes-removed',
    'worker-before-settle',
  ] as const) {
    it(`killed: ${window}`, async (t) => {
      const scene = await setFollowScene(t, 300);
      await followOnce(scene, all);
      await scene.collection.updateOne({ _id: 5 as never }, { $set: { text: 'changed' } });
      // The merge itself makes the row wrong, so that only its note leads to it.
      await scene.query(
        `CREATE FUNCTION falsify() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.text := 'wrong'; RETURN NEW; END $$;
         CREATE TRIGGER falsify BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION falsify()`,
      );
      await followOnce(scene, unproven);
      await scene.query('DROP FUNCTION falsify CASCADE');
      await followUntilKilled(t, scene, window);
      await scene.collection.insertMany(documentsOf(50, 10_000));
      await assertFound(scene, [5]);
    });
  }
});
