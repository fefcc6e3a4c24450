/** MongoDB is killed, steps down, stops answering, or loses the cursor of the stream: reading resumes at the last position. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Long, MongoClient, Timestamp } from 'mongodb';
import { cleanUp } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { documentsOf } from '../support/fault.ts';
import { inline, setFollowSceneOn, type FollowScene } from '../support/follow-scene.ts';
import type { Following } from '../support/follow.ts';
import { useLyingMongo } from '../support/lying-mongo.ts';
import { startPrivateMongo } from '../support/private-servers.ts';

async function write(scene: FollowScene, round: number): Promise<void> {
  await scene.collection.insertMany(documentsOf(100, 10_000 + 1_000 * round));
  await scene.collection.updateMany({ even: true }, { $set: { text: `round ${round}` } });
  await scene.collection.deleteMany({ _id: { $gte: (10 * round) as never, $lt: (10 * round + 5) as never } });
}

async function requireEqual(scene: FollowScene, following: Following): Promise<void> {
  await scene.untilMerged(following);
  await scene.assertEqual();
}

describe('MongoDB, while changes are followed,', () => {
  const mongo = useLyingMongo();

  it('is killed and restarted, during the copy and while changes are merged', async (t) => {
    const server = await startPrivateMongo();
    cleanUp(t, () => server.remove());
    const scene = await setFollowSceneOn(t, server.url);
    const failpoints = await setFailpoints(t, {
      'primary-after-ack': 'pause@4',
      'primary-before-drain': 'pause@5x*',
    });
    const following = scene.follow({ ...inline, ...failpoints.env });
    await failpoints.waitUntilFired('primary-after-ack');
    await write(scene, 1);
    await server.restart('kill');
    await failpoints.resume('primary-after-ack');
    await failpoints.waitUntilFired('primary-before-drain');
    await write(scene, 2);
    await server.restart('kill');
    await failpoints.resume('primary-before-drain');
    await following.until('following');
    await write(scene, 3);
    await requireEqual(scene, following);
    await following.stop();
  });

  // Seen red where the stream does not retry: the first error ends the process.
  it('has transient errors, and loses the cursor', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const following = scene.follow(inline);
    await following.until('following');
    let round = 0;
    const failures = [
      { failCommands: ['getMore'], errorCode: 43 },
      { failCommands: ['getMore'], errorCode: 237 },
      { failCommands: ['getMore', 'aggregate'], errorCode: 10107 },
      { failCommands: ['getMore', 'aggregate'], errorCode: 11600 },
      { failCommands: ['getMore', 'aggregate', 'find'], closeConnection: true },
    ];
    for (const failure of failures) {
      await t.test(JSON.stringify(failure), async () => {
        await mongo().failCommands(t, failure, { times: 2 });
        await write(scene, ++round);
        await requireEqual(scene, following);
      });
    }
    await following.stop();
  });

  it('does not find the position of the stream: the changes since its second are read again', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    // With the first reply, and at the opening.
    for (const [index, failCommands] of [['getMore'], ['aggregate']].entries()) {
      const first = scene.follow(inline);
      await first.until('following');
      await first.stop();
      await write(scene, 1 + index);
      await mongo().failCommands(t, { failCommands, errorCode: 280 }, { times: 1 });
      const following = scene.follow(inline);
      await following.until('following');
      await requireEqual(scene, following);
      await following.stop();
    }
  });

  it('steps down and is elected again', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const following = scene.follow(inline);
    await following.until('following');
    cleanUp(t, () => mongo().admin({ replSetFreeze: 0 }));
    for (let round = 1; round <= 3; round++) {
      await write(scene, round);
      await mongo().admin({ replSetStepDown: 60, force: true });
      await mongo().admin({ replSetFreeze: 0 });
    }
    await requireEqual(scene, following);
    await following.stop();
  });

  it('sends no events: after a while the stream is reopened, and delivers what was held back', async (t) => {
    const scene = await setFollowSceneOn(t, mongo().url);
    const following = scene.follow(inline);
    await following.until('following');
    const endSilence = await mongo().lie(t, 'silentChangeStreams');
    await write(scene, 1);
    // The time of a set advances by what its clients have seen; for a stream this is a minute without an event.
    const { operationTime } = await scene.db.command({ ping: 1 });
    assert.ok(operationTime instanceof Timestamp);
    const later = new Timestamp({ t: operationTime.t + 60, i: 1 });
    const other = await MongoClient.connect(mongo().url);
    cleanUp(t, () => other.close());
    const signature = { hash: Buffer.alloc(20), keyId: Long.ZERO };
    const $clusterTime = { clusterTime: later, signature };
    await other.db(scene.db.databaseName).command({ find: 'things', limit: 1, $clusterTime });
    await scene.collection.insertOne({ _id: 50_000 as never, text: 'a minute later', even: false });
    await following.until('retried', ({ reason }) =>
      String(reason).includes('the change stream was silent for'),
    );
    await endSilence();
    await requireEqual(scene, following);
    await following.stop();
  });
});
