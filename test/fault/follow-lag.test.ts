/** The reported lag is right to two seconds, by the time of the replica set and not by this machine's clock. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MongoClient, type Document, type Timestamp } from 'mongodb';
import { cleanUp } from '../support/embedded.ts';
import { passTime } from '../support/cluster-time.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { inline, setFollowSceneOn } from '../support/follow-scene.ts';
import { startLyingMongo } from '../support/lying-mongo.ts';

const hourMs = 3_600_000;
const toleranceMs = 2_000;

/** In seconds. */
function timeOf(reply: Document): number {
  return (reply.operationTime as Timestamp).t;
}

describe('the lag of what is followed', () => {
  // Red where the lag is that of reading alone.
  it('is the age of the oldest pending change, and 0 if none is pending', async (t) => {
    const mongo = await startLyingMongo(t);
    const scene = await setFollowSceneOn(t, mongo.url);
    const client = await MongoClient.connect(mongo.url);
    cleanUp(t, () => client.close());
    const failpoints = await setFailpoints(t, { 'primary-before-drain': 'pausex*' });
    const following = scene.follow({ ...inline, ...failpoints.env });
    await following.until('following', ({ lagMs, waiting }) => lagMs === 0 && waiting === 0);

    const update = { q: { _id: 1 }, u: { $set: { text: 'waits' } } };
    const changedAt = timeOf(await scene.db.command({ update: 'things', updates: [update] }));
    await failpoints.waitUntilFired('primary-before-drain');
    // Twice an hour: a single step of the lag could be right by chance.
    for (const hours of [1, 2]) {
      await passTime(client, hourMs / 1_000);
      await scene.otherCollection('unrelated').insertOne({ hours });
      // All is read: this happens, if late on a busy machine.
      const { lagMs } = await following.until(
        'following',
        (event) => event.lagMs > hours * hourMs - hourMs / 2 && event.readLagMs <= toleranceMs,
      );
      const ageMs = (timeOf(await scene.db.command({ ping: 1 })) - changedAt) * 1_000;
      assert.ok(
        Math.abs(lagMs - ageMs) <= toleranceMs,
        `${lagMs} ms after ${hours} h, by the set ${ageMs} ms`,
      );
    }
    const reported = following.events.length;
    await failpoints.resume('primary-before-drain');
    await scene.untilMerged(following);
    await following.until(
      'following',
      (event) => following.events.indexOf(event) >= reported && event.lagMs === 0 && event.waiting === 0,
    );
    await scene.assertEqual();
    await following.stop();
  });
});
