/** Workers that end in the middle of a merge: another does it, once. A document that ends them becomes a dead letter alone. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { documentsOf, withoutLife } from '../support/fault.ts';
import { setFollowScene, type FollowScene } from '../support/follow-scene.ts';

const marker = 'ends every worker that looks at it';

async function write(scene: FollowScene, round: number): Promise<void> {
  await scene.collection.insertMany(documentsOf(100, 10_000 + 1_000 * round));
  await scene.collection.updateMany({ even: true }, { $set: { text: `round ${round}` } });
  await scene.collection.deleteMany({ _id: { $gte: (10 * round) as never, $lt: (10 * round + 5) as never } });
}

/** Rows are those copied, with those inserted and without those deleted: a merge that was done twice would count twice. */
async function assertBalance(scene: FollowScene): Promise<void> {
  const [row] = await scene.query<{ isBalanced: boolean }>(
    `SELECT (SELECT count(*) FROM things)
            = (SELECT sum(copied) FROM mongo2pg.batches) + (SELECT sum(inserted) - sum(deleted) FROM mongo2pg.slots)
            AS "isBalanced"`,
  );
  assert.equal(row?.isBalanced, true, 'the account of the slots');
}

describe('a worker that merges', { skip: withoutLife(pool) }, () => {
  it('killed in each window', async (t) => {
    const scene = await setFollowScene(t);
    const first = scene.follow();
    await first.until('following');
    await first.stop();
    const failpoints = await setFailpoints(t, {
      'worker-in-merge': 'kill@3',
      'worker-before-merge-commit': 'kill@20',
      'worker-before-ack': 'kill@40',
    });
    const following = scene.follow(failpoints.env);
    await following.until('following');
    for (const round of [1, 2]) {
      await write(scene, round);
      await scene.untilMerged(following);
    }
    for (const window of ['worker-in-merge', 'worker-before-merge-commit', 'worker-before-ack'] as const) {
      assert.equal(await failpoints.countFirings(window), 1, window);
    }
    await scene.assertEqual();
    await assertBalance(scene);
    await following.stop();
  });

  it('killed over it twice, though there is nothing to be read any more', async (t) => {
    const scene = await setFollowScene(t);
    const first = scene.follow();
    await first.until('following');
    await first.stop();
    await scene.collection.deleteOne({ _id: 7 as never });
    const failpoints = await setFailpoints(t, { 'worker-in-merge': 'killx3' });
    const following = scene.follow(failpoints.env);
    await scene.untilMerged(following);
    assert.equal(await failpoints.countFirings('worker-in-merge'), 3);
    await scene.assertEqual();
    await following.stop();
  });

  it('ended by a document: it becomes a dead letter alone, and a row again when it is changed', async (t) => {
    const scene = await setFollowScene(t, 2_000);
    const failpoints = await setFailpoints(t, {
      'worker-transcode': `kill?${Buffer.from(marker).toString('hex')}x*`,
    });
    const following = scene.follow(failpoints.env);
    await following.until('following');
    await scene.collection.updateMany(
      { _id: { $lt: 1_000 as never } },
      { $set: { text: 'beside the others' } },
    );
    await scene.collection.updateOne({ _id: 437 as never }, { $set: { text: marker } });
    await scene.untilMerged(following);
    await scene.assertEqual({ deadLetters: [437] });
    const letters = await scene.query<{ reason: string }>('SELECT reason FROM mongo2pg.dead_letters');
    assert.deepEqual(letters, [{ reason: 'worker_died' }]);
    await scene.collection.updateOne({ _id: 437 as never }, { $set: { text: 'harmless' } });
    await scene.untilMerged(following);
    await scene.assertEqual();
    await assertBalance(scene);
    await following.stop();
  });
});
