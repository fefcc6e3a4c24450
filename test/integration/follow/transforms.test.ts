import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../../src/common/errors.ts';
import { cleanUp } from '../../support/embedded.ts';
import { assertCode } from '../../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../../support/follow-scene.ts';
import { ModuleFiles } from '../../support/module-files.ts';

async function makeModules(t: TestContext): Promise<ModuleFiles> {
  const modules = await ModuleFiles.create();
  cleanUp(t, () => modules.remove());
  return modules;
}

/** Drops `gone`, fails for `fails`, makes several of `several`, and changes all others. */
const text = `export default (document) => {
  if (document.text === 'gone') return null;
  if (document.text === 'fails') throw new Error('no');
  if (document.text === 'several') return [document, { ...document, _id: document._id + 10_000 }];
  return { ...document, text: 'seen ' + document.text };
};`;

async function readRows(scene: FollowScene, ids: readonly number[]): Promise<Record<string, unknown>[]> {
  return await scene.query('SELECT _id, text FROM things WHERE _id = ANY ($1) ORDER BY 1', [ids]);
}

describe('a transform, while changes are followed,', () => {
  it('is applied in merges and comparisons; a dropped document has no row', async (t) => {
    const scene = await setFollowScene(t);
    const { collection } = scene;
    const TRANSFORM = await (await makeModules(t)).write('follow.mjs', text);
    const set = (id: number, to: string): Promise<unknown> =>
      collection.updateOne({ _id: id as never }, { $set: { text: to } }, { upsert: true });
    await set(1, 'gone');
    await set(2, 'one');
    const following = scene.follow({ ...inline, TRANSFORM });
    await following.until('following');
    assert.deepEqual(await readRows(scene, [1, 2]), [{ _id: 2, text: 'seen one' }]);
    await set(1, 'back');
    await set(2, 'gone');
    await set(3, 'three');
    await set(4, 'fails');
    await set(5, 'several');
    await set(9_001, 'new');
    await set(9_002, 'gone');
    await scene.untilMerged(following);
    assert.deepEqual(await readRows(scene, [1, 2, 3, 4, 5, 9_001, 9_002, 10_005]), [
      { _id: 1, text: 'seen back' },
      { _id: 3, text: 'seen three' },
      { _id: 9_001, text: 'seen new' },
    ]);
    assert.deepEqual(
      await scene.query('SELECT document_id AS id, reason FROM mongo2pg.dead_letters ORDER BY 1'),
      [
        { id: '{"$numberInt":"4"}', reason: 'transform_error' },
        { id: '{"$numberInt":"5"}', reason: 'transform_id' },
      ],
    );
    const refused = await scene.run(inline, 'cutover');
    assertCode(refused, ExitCode.deadLetters);
    await set(4, 'fixed');
    await set(5, 'fixed');
    await scene.untilMerged(following);
    const cutOver = await scene.run(inline, 'cutover');
    assertCode(cutOver, 0);
    await following.result;
    assert.deepEqual(await readRows(scene, [4, 5]), [
      { _id: 4, text: 'seen fixed' },
      { _id: 5, text: 'seen fixed' },
    ]);
    const verified = await scene.run(inline, 'verify');
    assertCode(verified, 0);
    assert.match(verified.stdout, /"dropped":2/);
  });

  it('the cutover finds a row of a dropped document', async (t) => {
    const scene = await setFollowScene(t);
    await scene.collection.updateOne({ _id: 1 as never }, { $set: { text: 'gone' } });
    const TRANSFORM = await (await makeModules(t)).write('follow.mjs', text);
    const following = scene.follow({ ...inline, TRANSFORM });
    await following.until('following');
    await scene.untilMerged(following);
    await scene.query(`INSERT INTO things (_id, text) VALUES (1, 'gone')`);
    const cutOver = await scene.run(inline, 'cutover');
    assertCode(cutOver, ExitCode.different);
    await scene.query(`DELETE FROM things WHERE _id = 1`);
    assertCode(await scene.run(inline, 'cutover'), 0);
    await following.result;
  });

  // Red where a comparison expects a row for a dropped document.
  it('a row that a merge leaves for a dropped document is found while following', async (t) => {
    const scene = await setFollowScene(t);
    const TRANSFORM = await (await makeModules(t)).write('follow.mjs', text);
    const following = scene.follow({ ...inline, TRANSFORM, VERIFY_SHARE: '100%' });
    const untilProven = async (different: number): Promise<void> => {
      await scene.untilMerged(following);
      const reported = following.events.length;
      await following.until('following', (event) => {
        const proof = event.collections[0]?.proof;
        const isNew = following.events.indexOf(event) >= reported;
        if (!isNew || proof?.verifiedAt == null || proof.different !== different) return false;
        return different > 0 || proof.unverified === 0;
      });
    };
    const set = (ids: readonly number[], to: string): Promise<unknown> =>
      scene.collection.updateMany({ _id: { $in: ids as never[] } }, { $set: { text: to } });
    await following.until('following');
    await untilProven(0);
    await set([1, 2, 3], 'gone');
    await untilProven(0);
    await set([1, 2, 3], 'back');
    await untilProven(0);
    await scene.query(
      `CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
       CREATE TRIGGER stay BEFORE DELETE ON things FOR EACH ROW WHEN (OLD._id = 1) EXECUTE FUNCTION stay()`,
    );
    await set([1, 2, 3], 'gone');
    await untilProven(1);
    assertCode(await scene.run(inline, 'cutover', '--check'), ExitCode.different);
    await scene.query('DROP TRIGGER stay ON things');
    await set([1], 'back');
    await set([1], 'gone');
    await untilProven(0);
    assert.deepEqual(await readRows(scene, [1, 2, 3]), []);
    assertCode(await scene.run(inline, 'cutover'), 0);
    await following.result;
  });

  it('that returns several documents, or another _id, is refused before anything is written', async (t) => {
    const scene = await setFollowScene(t);
    const modules = await makeModules(t);
    for (const result of ['[document, { ...document, _id: -document._id }]', '({ ...document, _id: 0 })']) {
      const TRANSFORM = await modules.write('many.mjs', `export default (document) => ${result};`);
      const refused = await scene.run({ ...inline, TRANSFORM }, '--follow');
      assertCode(refused, ExitCode.usage);
      assert.match(
        refused.stderr,
        /while changes are followed.* — return the document with its _id, or null/,
      );
      assert.deepEqual(await scene.query(`SELECT FROM pg_class WHERE relname = 'things'`), []);
    }
  });

  it('that was used by a copy without following cannot be continued by a repair', async (t) => {
    const scene = await setFollowScene(t);
    const TRANSFORM = await (
      await makeModules(t)
    ).write('plain.mjs', 'export default (document) => document;');
    assertCode(await scene.run({ ...inline, TRANSFORM }), 0);
    const refused = await scene.run(inline, 'repair');
    assertCode(refused, ExitCode.usage);
    assert.match(refused.stderr, /was copied by a transform without --follow/);
  });

  it('can only be resumed with the same', async (t) => {
    const scene = await setFollowScene(t);
    const modules = await makeModules(t);
    const TRANSFORM = await modules.write('follow.mjs', text);
    const following = scene.follow({ ...inline, TRANSFORM });
    await following.until('following');
    await following.stop();
    const other = await modules.write('other.mjs', `${text} // changed`);
    const refused = await scene.run({ ...inline, TRANSFORM: other }, '--follow');
    assertCode(refused, ExitCode.usage);
    assert.match(refused.stderr, /was begun with the transform .*follow\.mjs, and now it is .*other\.mjs/);
    const again = scene.follow({ ...inline, TRANSFORM });
    await scene.untilMerged(again);
    await again.stop();
  });
});
