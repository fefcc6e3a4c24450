/**
 * A dead letter is removed with its cause: however the document changed, a drain of its `_id` reads it again.
 * All of these were seen red with `removeLetters` removed from src/postgres/follow/merge.ts.
 */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeDirectory, waitUntil } from '../support/embedded.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';
import { planWithLines } from '../support/plan-with-lines.ts';

/** PostgreSQL has no text with U+0000. */
const bad = 'not a text \0';

async function readLetters(scene: FollowScene): Promise<string[]> {
  const rows = await scene.query<{ id: string }>(
    'SELECT document_id AS id FROM mongo2pg.dead_letters ORDER BY document_id',
  );
  return rows.map(({ id }) => id);
}

const untilLetters = (scene: FollowScene, count: number): Promise<void> =>
  waitUntil(`${count} dead letters`, async () => (await readLetters(scene)).length === count);

const letterCounts = (scene: FollowScene): Promise<{ letters: number; documents: number }[]> =>
  scene.query(
    `SELECT count(*)::int AS letters, count(DISTINCT document_id)::int AS documents FROM mongo2pg.dead_letters`,
  );

describe('dead letters, while changes are followed,', () => {
  it('of the copy and of a drain, are removed when the document is fixed, replaced or deleted', async (t) => {
    const scene = await setFollowScene(t);
    const { collection } = scene;
    const set = (ids: readonly number[], text: string): Promise<unknown> =>
      collection.updateMany({ _id: { $in: ids as never[] } }, { $set: { text } });
    await set([1, 2, 3], bad);
    const following = scene.follow(inline);
    await following.until('following');
    assert.equal((await readLetters(scene)).length, 3, 'of the copy');
    await set([11, 12, 13], bad);
    await untilLetters(scene, 6);
    await scene.untilMerged(following);

    for (const [fixed, replaced, deleted] of [
      [1, 2, 3],
      [11, 12, 13],
    ] as const) {
      await set([fixed], 'fixed');
      await collection.replaceOne({ _id: replaced as never }, { text: 'replaced', even: true });
      await collection.deleteOne({ _id: deleted as never });
    }
    await scene.untilMerged(following);
    assert.deepEqual(await readLetters(scene), []);
    await scene.assertEqual();
    const cutOver = await scene.run(inline, 'cutover');
    assert.equal(cutOver.code, 0, cutOver.stderr);
    // Red where it counts the dead letters of the copy, of which none is left.
    const { code, stderr } = await following.result;
    assert.equal(code, 0, stderr);
  });

  it('are one per document, however often it changes, with its last state', async (t) => {
    const scene = await setFollowScene(t);
    const { collection } = scene;
    await collection.updateOne({ _id: 1 as never }, { $set: { text: bad } });
    const following = scene.follow(inline);
    await following.until('following');
    for (const text of [`${bad} 1`, `${bad} 2`, `${bad} 3`]) {
      await collection.updateOne({ _id: 1 as never }, { $set: { text } });
      await scene.untilMerged(following);
      assert.deepEqual(await letterCounts(scene), [{ letters: 1, documents: 1 }]);
    }
    const [letter] = await scene.query<{ document: Buffer }>('SELECT document FROM mongo2pg.dead_letters');
    assert.ok(letter?.document.includes(Buffer.from(`${bad} 3`)), 'the last state');
    // A row becomes a dead letter, and a row again.
    await collection.updateOne({ _id: 1 as never }, { $set: { text: 'a row' } });
    await scene.untilMerged(following);
    assert.deepEqual(await letterCounts(scene), [{ letters: 0, documents: 0 }]);
    await scene.assertEqual();
    await following.stop();
  });

  it('caused by a row of an array: no table has a row of the document meanwhile', async (t) => {
    const scene = await setFollowScene(t, 100);
    const { collection } = scene;
    const setLines = (ids: readonly number[], ...skus: readonly string[]): Promise<unknown> =>
      collection.updateMany(
        { _id: { $in: ids as never[] } },
        { $set: { lines: skus.map((sku) => ({ sku })) } },
      );
    await collection.updateMany({}, { $set: { lines: [{ sku: 'one' }, { sku: 'two' }] } });
    await setLines([1, 2], 'one', bad);
    const path = join(await makeDirectory(t), 'plan.json');
    await writeFile(path, JSON.stringify(planWithLines));
    const following = scene.follow(inline, '--plan', path);
    await following.until('following');
    await setLines([11, 12], bad, 'two');
    await untilLetters(scene, 4);
    await scene.untilMerged(following);
    const countRows = async (): Promise<unknown> => {
      const [counts] = await scene.query(
        `SELECT (SELECT count(*)::int FROM things) AS rows, (SELECT count(*)::int FROM thing_lines) AS lines,
                (SELECT count(*)::int FROM thing_lines WHERE thing_id IN (1, 2, 11, 12)) AS refused`,
      );
      return counts;
    };
    assert.deepEqual(await countRows(), { rows: 96, lines: 192, refused: 0 });
    await setLines([1, 11], 'one', 'two', 'three');
    await collection.deleteMany({ _id: { $in: [2, 12] as never[] } });
    await scene.untilMerged(following);
    assert.deepEqual(await readLetters(scene), []);
    assert.deepEqual(await countRows(), { rows: 98, lines: 198, refused: 6 });
    assert.equal((await scene.run(inline, 'verify')).code, 0);
    await following.stop();
  });
});
