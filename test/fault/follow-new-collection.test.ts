/** A collection is created while others are followed: these are followed while it is copied, and an empty one delays nothing. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { assertEqualTable } from '../support/compare.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, documentsOf } from '../support/fault.ts';
import { inline, setFollowScene } from '../support/follow-scene.ts';

const env = { ...inline, MONGO_COLLECTION: 'things,new*' };

describe('a collection that is created while others are followed', () => {
  // Red where it is copied on the connection of the drains.
  it('does not delay the others while it is copied, nor while its key is built', async (t) => {
    const scene = await setFollowScene(t);
    const first = scene.follow(env);
    await first.until('following');
    await first.stop();
    const failpoints = await setFailpoints(t, {
      'primary-after-plan': 'pause',
      'primary-in-index-build': 'pause',
    });
    const following = scene.follow({ ...env, ...failpoints.env });
    const changeMeanwhile = async (text: string, merged: number): Promise<void> => {
      await scene.collection.updateMany({ even: true }, { $set: { text } });
      await following.until(
        'following',
        ({ documentsMerged, waiting }) => documentsMerged >= merged && waiting === 0,
      );
      await scene.assertEqual();
    };
    await following.until('following');
    await scene.otherCollection('newcomer').insertMany(documentsOf(60));
    await failpoints.waitUntilFired('primary-after-plan');
    await scene.otherCollection('newcomer').deleteOne({ _id: 7 as never });
    await changeMeanwhile('before its first page', 250);
    await failpoints.resume('primary-after-plan');
    await failpoints.waitUntilFired('primary-in-index-build');
    // Its table is locked, so that the statement which builds the key waits.
    await scene.query('BEGIN');
    await scene.query('LOCK TABLE newcomer IN ACCESS SHARE MODE');
    await failpoints.resume('primary-in-index-build');
    await waitUntil('the key waits for the table', async () => {
      const waiting = await scene.query(
        "SELECT FROM pg_locks WHERE relation = 'newcomer'::regclass AND NOT granted",
      );
      return waiting.length > 0;
    });
    await changeMeanwhile('while its key is built', 500);
    await scene.query('COMMIT');
    await following.until('following', ({ collections }) => collections.length === 2);
    await scene.otherCollection('newcomer').updateOne({ _id: 8 as never }, { $set: { text: 'after' } });
    await scene.untilMerged(following);
    await assertEqualTable(scene.otherCollection('newcomer'), scene.client, 'newcomer');
    const { code, stderr } = await following.stop();
    assert.equal(code, ExitCode.sigint, stderr);
  });

  // Red where its copy is not told to stop.
  it('ends with the others, at any point of its copy', async (t) => {
    const scene = await setFollowScene(t);
    const first = scene.follow(env);
    await first.until('following');
    await first.stop();
    const failpoints = await setFailpoints(t, { 'primary-after-plan': 'pause' });
    const following = scene.follow({ ...env, ...failpoints.env });
    await following.until('following');
    await scene.otherCollection('newcomer').insertMany(documentsOf(60));
    await failpoints.waitUntilFired('primary-after-plan');
    following.process.kill('SIGINT');
    await failpoints.resume('primary-after-plan');
    assert.equal((await following.result).code, ExitCode.sigint);
    const finished = await scene.query(
      "SELECT FROM mongo2pg.runs WHERE table_name = 'newcomer' AND finished_at IS NOT NULL",
    );
    assert.deepEqual(finished, [], 'its copy was stopped as well');
    const again = scene.follow(env);
    await again.until('following', ({ collections }) => collections.length === 2);
    await scene.untilMerged(again);
    await assertEqualTable(scene.otherCollection('newcomer'), scene.client, 'newcomer');
    await again.stop();
  });

  // Red where it counts as a failed collection.
  it('does not delay the cutover if none of its documents match the filter', async (t) => {
    const scene = await setFollowScene(t);
    const filtered = { ...env, FILTER: '{"even": true}' };
    const following = scene.follow(filtered);
    await following.until('following');
    await scene
      .otherCollection('newcomer')
      .insertMany(documentsOf(20).map((each) => ({ ...each, even: false })));
    await following.until('skipped', ({ source }) => source.endsWith('.newcomer'));
    const cutOver = await scene.run(filtered, 'cutover');
    assertCode(cutOver, ExitCode.ok);
    assert.equal((await following.result).code, ExitCode.ok);
  });
});
