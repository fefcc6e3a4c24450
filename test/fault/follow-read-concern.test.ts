/**
 * Two things that a replica set may do without an error: a read of an older state, and a write that is rolled back.
 *
 * Seen red: those of merging, where current documents are read without a read concern (`MongoChanges`); those of the copy, where its
 * reads have none (`ReadGuarantee`).
 */

import { describe, it, type TestContext } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { documentsOf } from '../support/fault.ts';
import { inline, setFollowSceneOn, type FollowScene } from '../support/follow-scene.ts';
import { useLyingMongo } from '../support/lying-mongo.ts';

describe('a followed collection', () => {
  const mongo = useLyingMongo();

  /** @returns what ends the stale reads */
  async function lie(
    t: TestContext,
    scene: FollowScene,
    name: 'staleReads' | 'rolledBackWrites',
  ): Promise<() => Promise<void>> {
    return await mongo().lie(t, name, { namespace: scene.collection.namespace });
  }

  /** A change of each kind, for which a row would be wrong, missing, or surplus. */
  async function write(scene: FollowScene, text: string): Promise<void> {
    await scene.collection.updateMany({ _id: { $lt: 20 as never } }, { $set: { text } });
    await scene.collection.deleteMany({ _id: { $gte: 20 as never, $lt: 30 as never } });
    await scene.collection.insertMany(documentsOf(20, 10_000));
  }

  it('is read as of the change or later, also by a member that lags', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const following = scene.follow(inline);
    await following.until('following');
    const end = await lie(t, scene, 'staleReads');
    await write(scene, 'changed');
    await scene.untilMerged(following);
    await end();
    await scene.assertEqual();
    await following.stop();
  });

  it('is copied as of the start of the stream or later', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const end = await lie(t, scene, 'staleReads');
    await write(scene, 'changed before the start');
    const following = scene.follow(inline);
    await following.until('following');
    await scene.untilMerged(following);
    await end();
    await scene.assertEqual();
    await following.stop();
  });

  for (const level of ['', 'local']) {
    const named = level === '' ? '' : `, also with readConcernLevel=${level} in the URL`;
    it(`is copied without writes that are rolled back later${named}`, async (t) => {
      const scene = await setFollowSceneOn(t, mongo().url);
      const end = await lie(t, scene, 'rolledBackWrites');
      await write(scene, 'seen by one member');
      const url = new URL(mongo().url);
      if (level !== '') url.searchParams.set('readConcernLevel', level);
      const following = scene.follow({ ...inline, MONGO_URL: url.href });
      await following.until('following');
      await end();
      await scene.untilMerged(following);
      await scene.assertEqual();
      await following.stop();
    });
  }

  it('is merged without writes that are rolled back later', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const failpoints = await setFailpoints(t, { 'primary-before-drain': 'pausex*' });
    const following = scene.follow({ ...inline, ...failpoints.env });
    await following.until('following');
    await write(scene, 'seen by all');
    await failpoints.waitUntilFired('primary-before-drain');
    const end = await lie(t, scene, 'rolledBackWrites');
    await write(scene, 'seen by one member').catch(() => undefined);
    await scene.collection.updateMany({ _id: { $gte: 10_000 as never } }, { $set: { text: 'lost' } });
    await failpoints.resume('primary-before-drain');
    await scene.untilMerged(following);
    await end();
    await scene.assertEqual();
    await following.stop();
  });
});
