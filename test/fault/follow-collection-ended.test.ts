/** A collection that is followed is dropped, renamed or replaced: its table is kept, and following of the others continues. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Collection } from 'mongodb';
import { ExitCode } from '../../src/common/errors.ts';
import { assertEqualTable } from '../support/compare.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { documentsOf } from '../support/fault.ts';
import type { Following } from '../support/follow.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';

const readTable = (scene: FollowScene, table: string): Promise<unknown[]> =>
  scene.query(`SELECT *, xmin::text FROM ${table} ORDER BY _id`);

async function untilEnded(following: Following, scene: FollowScene, name: string): Promise<string> {
  const source = `${scene.db.databaseName}.${name}`;
  const { message, code, exitCode } = await following.until('failed', (event) => event.source === source);
  assert.deepEqual([code, exitCode], ['FOLLOWED_ENDED', ExitCode.source]);
  return message;
}

describe('a collection that is followed', () => {
  it('is dropped, renamed, replaced or recreated while the others are followed', async (t) => {
    const scene = await setFollowScene(t);
    const of = (name: string): Collection => scene.otherCollection(name);
    for (const name of ['dropped', 'renamed', 'replaced', 'remade']) {
      await of(name).insertMany(documentsOf(50));
    }
    await of('away').insertMany(documentsOf(5));
    const env = { ...inline, MONGO_COLLECTION: 'things,dropped,renamed,replaced,remade,new*' };
    const following = scene.follow(env);
    await following.until('following');
    const before = new Map<string, unknown[]>();
    for (const name of ['dropped', 'renamed', 'replaced', 'remade']) {
      before.set(name, await readTable(scene, name));
    }

    const ends: readonly [string, () => Promise<unknown>, RegExp][] = [
      ['dropped', () => of('dropped').drop(), /the collection dropped was dropped/],
      ['renamed', () => of('renamed').rename('elsewhere'), /the collection renamed was renamed to elsewhere/],
      [
        'replaced',
        () => of('away').rename('replaced', { dropTarget: true }),
        /the collection away was renamed to replaced/,
      ],
      ['remade', () => of('remade').drop(), /the collection remade was dropped/],
    ];
    for (const [name, end, words] of ends) {
      await t.test(`${name}: its table stays`, async () => {
        await end();
        if (name === 'remade') await of(name).insertMany(documentsOf(10, 5_000));
        assert.match(await untilEnded(following, scene, name), words);
        await scene.collection.updateMany({ even: true }, { $set: { text: `after ${name}` } });
      });
    }

    await t.test('a new one that MONGO_COLLECTION matches is copied and followed', async () => {
      await of('newcomer').insertMany(documentsOf(60));
      await of('newcomer').updateOne({ _id: 3 as never }, { $set: { text: 'at once' } });
      await following.until('following', ({ collections }) =>
        collections.some(({ source }) => source.endsWith('.newcomer')),
      );
      await of('newcomer').deleteOne({ _id: 4 as never });
    });

    await t.test('an empty one is copied once it has documents', async () => {
      // The event of the document arrives after its deletion.
      following.process.kill('SIGSTOP');
      await of('newborn').insertOne({ _id: 1 as never, text: 'gone at once' });
      await of('newborn').deleteOne({ _id: 1 as never });
      following.process.kill('SIGCONT');
      await following.until('skipped', ({ source }) => source.endsWith('.newborn'));
      await of('newborn').insertMany(documentsOf(20, 100));
      await following.until('following', ({ collections }) =>
        collections.some(({ source }) => source.endsWith('.newborn')),
      );
    });

    const requireOthers = async (going: Following): Promise<void> => {
      await scene.untilMerged(going);
      for (const name of ['things', 'newcomer', 'newborn']) {
        await assertEqualTable(scene.otherCollection(name), scene.client, name);
      }
      for (const [name, rows] of before) assert.deepEqual(await readTable(scene, name), rows, name);
    };
    await t.test('the others are in step, and it can be stopped as before', async () => {
      await requireOthers(following);
      const { code, stderr } = await following.stop();
      assert.equal(code, ExitCode.sigint, stderr);
    });

    await t.test('the next start resumes them, and reports those that have ended', async () => {
      await scene.collection.updateMany({ even: false }, { $set: { text: 'between' } });
      const again = scene.follow(env);
      for (const [name, , words] of ends) assert.match(await untilEnded(again, scene, name), words);
      await requireOthers(again);
      await scene.db.dropDatabase();
      const { code, stderr } = await again.result;
      assert.equal(code, ExitCode.source, stderr);
      assert.match(
        await untilEnded(again, scene, 'newcomer'),
        /newcomer was dropped|the database was dropped/,
      );
      const rows = await scene.query<{ count: number }>('SELECT count(*)::int AS count FROM things');
      assert.deepEqual(rows, [{ count: 500 }]);
    });

    await t.test('when all have ended, each start reports it', async () => {
      const { code, stdout, stderr } = await scene.follow(env).result;
      assert.equal(code, ExitCode.source, stdout + stderr);
      assert.match(stdout, /FOLLOWED_ENDED/);
      assert.match(stdout, /things is not followed any more/);
    });
  });

  it('ends while changes of it are pending: they are not treated as deletions, nor as changes of the collection that has its name now', async (t) => {
    for (const [name, end] of [
      ['things', (of: Collection) => of.drop()],
      [
        'others',
        async (of: Collection) => {
          await of.drop();
          await of.insertMany(documentsOf(500).map((each) => ({ ...each, text: 'of another' })));
        },
      ],
    ] as const) {
      const scene = await setFollowScene(t);
      const collection = scene.otherCollection(name);
      if (name !== 'things') await collection.insertMany(documentsOf(500));
      const failpoints = await setFailpoints(t, { 'primary-before-drain': 'pausex*' });
      const following = scene.follow({ ...inline, ...failpoints.env, MONGO_COLLECTION: name });
      await following.until('following');
      const before = await readTable(scene, name);
      await collection.updateMany({}, { $set: { text: 'never to be read' } });
      await failpoints.waitUntilFired('primary-before-drain');
      await end(collection);
      await failpoints.resume('primary-before-drain');
      const { code, stderr } = await following.result;
      assert.equal(code, ExitCode.source, stderr);
      assert.deepEqual(await readTable(scene, name), before);
    }
  });

  it('does not delay the cutover when it was created and dropped meanwhile', async (t) => {
    const scene = await setFollowScene(t);
    const env = { ...inline, MONGO_COLLECTION: 'things,tmp*' };
    const following = scene.follow(env);
    await following.until('following');
    following.process.kill('SIGSTOP');
    await scene.otherCollection('tmp_dropped').insertMany(documentsOf(5));
    await scene.otherCollection('tmp_dropped').drop();
    await scene.otherCollection('tmp_emptied').insertMany(documentsOf(5));
    await scene.otherCollection('tmp_emptied').deleteMany({});
    following.process.kill('SIGCONT');
    await following.until('skipped', ({ source }) => source.endsWith('.tmp_emptied'));
    await scene.collection.updateMany({}, { $set: { text: 'the last' } });
    const { code, stdout, stderr } = await scene.run(env, 'cutover');
    assert.equal(code, ExitCode.ok, stdout + stderr);
    assert.equal((await following.result).code, ExitCode.ok);
    await scene.assertEqual();
  });

  // Without the events of drops and renames, the command does not end, and the test waits until its limit.
  it('is the only one: the command ends, now and at each start, until --restart', async (t) => {
    const scene = await setFollowScene(t);
    const following = scene.follow(inline);
    await following.until('following');
    const before = await readTable(scene, 'things');
    await scene.collection.drop();
    await scene.collection.insertMany(documentsOf(10, 5_000));
    for (const going of [following, scene.follow(inline)]) {
      const { code, stderr } = await going.result;
      assert.equal(code, ExitCode.source, stderr);
      assert.match(stderr, /is not followed any more: the collection things was dropped.*--restart/);
      assert.deepEqual(await readTable(scene, 'things'), before);
    }
    const restarted = scene.follow(inline, '--restart');
    await restarted.until('following');
    await scene.assertEqual();
    await restarted.stop();
  });
});
