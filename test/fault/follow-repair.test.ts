/** A repair of several collections: those that cannot be repaired are named, and the others are repaired. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { assertEqualTable } from '../support/compare.ts';
import { assertCode, documentsOf } from '../support/fault.ts';
import { inline, setFollowScene } from '../support/follow-scene.ts';

const env = { ...inline, MONGO_COLLECTION: 'things,others,remade' };

describe('a repair of several collections', () => {
  // Seen red where repair records no differences: no document is copied again.
  it('skips one that was dropped and recreated, which can be copied from scratch alone', async (t) => {
    const scene = await setFollowScene(t);
    await scene.otherCollection('others').insertMany(documentsOf(50));
    await scene.otherCollection('remade').insertMany(documentsOf(50));
    const first = scene.follow(env);
    await first.until('following');
    await first.stop();
    await scene.query('UPDATE things SET text = text || $$ tampered$$ WHERE _id < 7');
    await scene.otherCollection('remade').drop();
    await scene.otherCollection('remade').insertMany(documentsOf(30, 5_000));
    const remadeRows = await scene.query('SELECT *, xmin::text FROM remade ORDER BY _id');

    const repaired = await scene.run(env, 'repair');
    assertCode(repaired, ExitCode.source);
    assert.match(repaired.stdout, /things: 7 documents to copy again/);
    assert.match(repaired.stdout, /others: 0 documents to copy again/);
    assert.match(
      repaired.stderr,
      /not repaired: \S+\.remade: .*dropped and recreated since.*--follow --restart-only remade/,
    );
    const second = scene.follow(env);
    const { source } = await second.until('failed');
    assert.match(source, /\.remade$/);
    await scene.otherCollection('things').updateMany({ even: true }, { $set: { text: 'continues' } });
    await second.until(
      'following',
      ({ collections, documentsMerged, waiting }) =>
        collections.length === 2 && documentsMerged >= 250 && waiting === 0,
    );
    await scene.assertEqual();
    await assertEqualTable(scene.otherCollection('others'), scene.client, 'others');
    assert.deepEqual(await scene.query('SELECT *, xmin::text FROM remade ORDER BY _id'), remadeRows);
    await second.stop();

    const third = scene.follow(env, '--restart-only', 'remade');
    await third.until('following', ({ collections }) => collections.length === 3);
    await scene.otherCollection('remade').deleteOne({ even: true });
    await scene.untilMerged(third);
    for (const name of ['things', 'others', 'remade']) {
      await assertEqualTable(scene.otherCollection(name), scene.client, name);
    }
    await third.stop();
  });
});
