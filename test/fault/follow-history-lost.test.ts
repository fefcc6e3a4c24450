/** The oplog is limited: changes that were removed from it are found by comparing. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { assertCode, documentsOf } from '../support/fault.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { inline, setFollowSceneOn, type FollowScene } from '../support/follow-scene.ts';
import { useLyingMongo } from '../support/lying-mongo.ts';

describe('lost oplog history', () => {
  const mongo = useLyingMongo();

  const loseHistory = async (t: TestContext): Promise<void> => {
    const end = await mongo().lie(t, 'loseOplogHistory');
    await end();
  };
  const readTable = (scene: FollowScene): Promise<unknown[]> =>
    scene.query('SELECT *, xmin::text, ctid::text FROM things ORDER BY _id');

  // Seen red, with the last one, where the error of a lost history is like any other; and where repair records no differences.
  it('while no process follows: exit code 7, and repair copies only what differs', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const first = scene.follow(inline);
    await first.until('following');
    await first.stop();
    await scene.collection.updateMany({ _id: { $lt: 7 as never } }, { $set: { text: 'not seen' } });
    await scene.collection.deleteMany({ _id: { $gte: 490 as never } });
    await scene.collection.insertMany(documentsOf(3, 1_000));
    await loseHistory(t);
    const untouched = await readTable(scene);

    for (const attempt of ['first', 'second']) {
      const { code, stderr } = await scene.follow(inline).result;
      assert.equal(code, ExitCode.historyLost, `${attempt}: ${stderr}`);
      assert.match(stderr, /MongoDB no longer has the changes since \d{4}-.*npm run repair/);
    }
    assert.deepEqual(await readTable(scene), untouched, 'the table is as it was');

    const repaired = await scene.run(inline, 'repair');
    assertCode(repaired, ExitCode.ok);
    assert.match(
      repaired.stdout + repaired.stderr,
      /things: 10 documents to copy again; deleted 10 rows without a document/,
    );
    const following = scene.follow(inline);
    await following.until('following');
    await scene.collection.updateOne({ _id: 50 as never }, { $set: { text: 'seen' } });
    await scene.untilMerged(following);
    await scene.assertEqual();
    const [slots] = await scene.query<{ merged: number }>(
      `SELECT sum(inserted + updated)::int AS merged FROM mongo2pg.slots JOIN mongo2pg.streams USING (stream_id)
        WHERE ended_at IS NULL`,
    );
    assert.equal(slots?.merged, 11, 'what differed, and what was written since');
    await following.stop();
  });

  it('while it is read: what was read is kept, and nothing is missed as long as the reader is ahead', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const following = scene.follow(inline);
    await following.until('following');
    await scene.collection.updateMany({ even: true }, { $set: { text: 'before' } });
    await scene.untilMerged(following);
    await loseHistory(t);
    await scene.collection.updateMany({ even: false }, { $set: { text: 'after' } });
    await scene.untilMerged(following);
    await scene.assertEqual();
    await following.stop();
  });

  it('of other collections: the position advances with their writes', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const following = scene.follow(inline);
    await following.until('following');
    await scene.otherCollection('unrelated').insertMany(documentsOf(10));
    // It waits for the position, which no write to this collection advances. A reader behind it would miss what is lost next.
    await scene.untilMerged(following);
    await loseHistory(t);
    await scene.otherCollection('unrelated').insertMany(documentsOf(10, 10));
    await scene.untilMerged(following);
    await following.stop();
    await scene.collection.updateOne({ _id: 1 as never }, { $set: { text: 'later' } });
    const again = scene.follow(inline);
    await again.until('following');
    await scene.untilMerged(again);
    await scene.assertEqual();
    await again.stop();
  });

  it('before the copy is done: the same exit code, and repair reports that there is nothing to compare yet', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@4' });
    assert.equal((await scene.follow({ ...inline, ...failpoints.env }).result).signal, 'SIGKILL');
    await scene.collection.deleteOne({ _id: 3 as never });
    await loseHistory(t);
    const lost = await scene.follow(inline).result;
    assert.equal(lost.code, ExitCode.historyLost, lost.stderr);
    const repaired = await scene.run(inline, 'repair');
    assertCode(repaired, ExitCode.usage);
    assert.match(repaired.stderr, /is not finished/);
    const following = scene.follow(inline, '--restart');
    await following.until('following');
    await scene.assertEqual();
    await following.stop();
  });
});
