/**
 * Hours in which nothing is written to what is followed, while others write more than the oplog holds: the position advances by
 * the empty replies of the stream, so that a restarted process loses nothing.
 */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { ExitCode } from '../../src/common/errors.ts';
import { passTime } from '../support/cluster-time.ts';
import { assertCode } from '../support/fault.ts';
import { cleanUp } from '../support/embedded.ts';
import { inline, setFollowSceneOn } from '../support/follow-scene.ts';
import { startLyingMongo } from '../support/lying-mongo.ts';
import { StreamReader, type Token } from '../support/stream-reader.ts';

const oplogBytes = 400_000;
/** How much of the oplog others fill before the reader must have seen it. */
const shares = 0.6;
const hours = 3;
const historyLost = 286;

describe('idle collections', () => {
  /* Seen red where answers without events are not kept (`ChangeReader`): the position stays where it was. */
  it('for hours: the position advances, and following can be resumed', async (t) => {
    const mongo = await startLyingMongo(t, { oplogBytes });
    const scene = await setFollowSceneOn(t, mongo.url);
    const client = await MongoClient.connect(mongo.url);
    cleanUp(t, () => client.close());
    const env = { ...inline, MONGO_COLLECTION: 'things,others' };
    await scene.otherCollection('others').insertOne({ _id: 1 as never, text: 'one' });
    const { first } = await StreamReader.open(scene.db);
    const following = scene.follow(env);
    await following.until('following');
    const before = await readPosition();

    for (let hour = 1; hour <= hours; hour++) {
      await passTime(client, 3_600);
      for (const [index, place] of [scene.db, client.db('elsewhere'), scene.db].entries()) {
        // Enough to push out the old history, and not what the reader still has to read.
        const text = 'x'.repeat(oplogBytes * shares);
        await place.collection<{ _id: string }>('busy').insertOne({ _id: `${hour} ${index}`, text } as never);
        await scene.untilMerged(following);
      }
    }
    cleanUp(t, () => client.db('elsewhere').dropDatabase());
    await assertLost(first.token);
    const position = await readPosition();
    assert.ok(position - before >= hours * 3_600, `${position - before} s`);
    const { lagMs, waiting, obstacles } = await following.until(
      'following',
      ({ readLagMs }) => readLagMs === 0,
    );
    assert.deepEqual([lagMs, waiting, obstacles], [0, 0, []], 'nothing is late where nothing happens');
    assertCode(await following.stop(), ExitCode.sigint);

    await scene.collection.updateOne({ _id: 3 as never }, { $set: { text: 'after hours' } });
    await scene.otherCollection('others').deleteOne({ _id: 1 as never });
    const again = scene.follow(env);
    await again.until('following');
    await scene.untilMerged(again);
    await scene.assertEqual();
    assert.deepEqual(await scene.query('SELECT FROM others'), []);
    assertCode(await again.stop(), ExitCode.sigint);

    async function readPosition(): Promise<number> {
      const [row] = await scene.query<{ time: string }>(
        'SELECT token_time::text AS time FROM mongo2pg.streams',
      );
      return Number(BigInt(row?.time ?? 0) >> 32n);
    }
    async function assertLost(token: Token): Promise<void> {
      await assert.rejects(StreamReader.open(scene.db, { spec: { resumeAfter: token }, batchSize: 1 }), {
        code: historyLost,
      });
    }
  });
});
