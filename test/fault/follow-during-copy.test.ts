/** Writes during the copy: to documents that are copied, in flight, and not yet read. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Double, Long } from 'mongodb';
import { setFailpoints } from '../support/failpoints.ts';
import { documentsOf } from '../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';

const documents = 1_000;

/** Ids around a position in the order of reading. */
async function writeAround(scene: FollowScene, at: number, text: string): Promise<void> {
  const { collection } = scene;
  await collection.updateMany(
    { _id: { $gte: (at - 20) as never, $lt: (at + 20) as never } },
    { $set: { text } },
  );
  await collection.deleteMany({ _id: { $gte: (at + 3) as never, $lt: (at + 6) as never } });
  // These are not changed before or after: only the event of the deletion shows them.
  await collection.deleteMany({ _id: { $gte: (at + 30) as never, $lt: (at + 33) as never } });
  await collection.insertOne({ _id: (at + 0.5) as never, text, even: false });
  // The same key, whatever the type of the number.
  for (const other of [new Double(at), Long.fromNumber(at)]) {
    await collection.deleteOne({ _id: at as never });
    await collection.insertOne({
      _id: other as never,
      text: `${text}, as ${other.constructor.name}`,
      even: true,
    });
  }
}

describe('writes during the copy', () => {
  for (const pool of [inline, { CLUSTER_IMPLEMENTATION: 'cluster', CLUSTER_SIZE: '2' }] as const) {
    // Red where updates, or deletions, are not put into the journal.
    it(`behind, at and before the reader (${pool.CLUSTER_IMPLEMENTATION})`, async (t) => {
      const scene = await setFollowScene(t, documents);
      // Ids that are no integers are rows as well.
      await scene.collection.insertOne({ _id: 0.5 as never, text: 'a fraction', even: false });
      const failpoints = await setFailpoints(t, {
        'primary-after-ack': 'pause@6x*',
        'primary-before-load-checkpoint': 'pause',
        'primary-before-finish': 'pause',
      });
      const following = scene.follow({ ...pool, ...failpoints.env, READ_RANGES: '1' });
      await failpoints.waitUntilFired('primary-after-ack');
      for (const at of [30, 300, 500, 900]) await writeAround(scene, at, 'in mid-copy');
      await scene.collection.insertMany([...documentsOf(20, -20), ...documentsOf(20, documents)]);
      await scene.collection.insertOne({ _id: 5_000 as never, text: 'comes and goes', even: true });
      await scene.collection.deleteOne({ _id: 5_000 as never });
      await failpoints.resume('primary-after-ack');
      await failpoints.waitUntilFired('primary-before-load-checkpoint');
      await writeAround(scene, 700, 'when all is loaded');
      await failpoints.resume('primary-before-load-checkpoint');
      await failpoints.waitUntilFired('primary-before-finish');
      await writeAround(scene, 800, 'when the key is built');
      await failpoints.resume('primary-before-finish');
      await following.until('following');
      await writeAround(scene, 100, 'after the copy');
      await scene.untilMerged(following);
      await scene.assertEqual();
      const { code, stdout, stderr } = await scene.run(inline, 'verify');
      assert.equal(code, 0, stdout + stderr);
      await following.stop();
    });
  }

  it('deleting all documents: the table becomes empty, and fills again', async (t) => {
    const scene = await setFollowScene(t, documents);
    const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
    const following = scene.follow({ ...inline, ...failpoints.env });
    await failpoints.waitUntilFired('primary-before-load-checkpoint');
    await scene.collection.deleteMany({});
    await failpoints.resume('primary-before-load-checkpoint');
    await following.until('following');
    await scene.untilMerged(following);
    await scene.assertEqual();
    await scene.collection.insertMany(documentsOf(30));
    await scene.untilMerged(following);
    await scene.assertEqual();
    await following.stop();
  });
});
