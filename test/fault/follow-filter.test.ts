/** A document that stops matching FILTER is removed from the table, whatever its change was; one that starts matching is added. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { assertEqualTable } from '../support/compare.ts';
import { assertCode, documentsOf } from '../support/fault.ts';
import { inline, setFollowScene } from '../support/follow-scene.ts';

describe('a filter, while changes are followed,', () => {
  // Seen red where current documents are read without the filter.
  it('applies to documents that start or stop matching', async (t) => {
    const scene = await setFollowScene(t);
    const { collection } = scene;
    const env = { ...inline, FILTER: '{"even": true}' };
    const following = scene.follow(env);
    await following.until('following');
    await collection.updateMany({ _id: { $lt: 10 as never } }, { $set: { even: false } });
    await collection.updateMany({ _id: { $gte: 10 as never, $lt: 20 as never } }, { $set: { even: true } });
    await collection.updateMany(
      { _id: { $gte: 20 as never, $lt: 40 as never } },
      { $set: { text: 'either' } },
    );
    await collection.replaceOne({ _id: 40 as never }, { text: 'without the field' });
    await collection.insertMany(documentsOf(10, 1_000));
    // Starts and stops matching again, before or after it is read.
    await collection.updateOne({ _id: 51 as never }, { $set: { even: true } });
    await collection.updateOne({ _id: 51 as never }, { $set: { even: false } });
    await scene.untilMerged(following);
    // MongoDB itself selects the matching documents, into another collection.
    const matching = await collection.find({ even: true }).toArray();
    await scene.otherCollection('matching').insertMany(matching);
    await assertEqualTable(scene.otherCollection('matching'), scene.client, 'things');
    await following.stop();
    assertCode(await scene.run(env, 'verify'), ExitCode.ok);
  });

  it('that uses the current time is refused: a document that stops matching causes no change event', async (t) => {
    const scene = await setFollowScene(t, 10);
    const filter = '{"$expr": {"$lt": ["$until", "$$NOW"]}}';
    const { code, stderr } = await scene.follow({ ...inline, FILTER: filter }).result;
    assert.equal(code, ExitCode.usage, stderr);
    assert.match(stderr, /FILTER uses the current time \(\$\$NOW\)/);
    assert.deepEqual(await scene.query("SELECT FROM pg_namespace WHERE nspname = 'mongo2pg'"), []);
  });
});
