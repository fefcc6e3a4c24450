/** A collection that cannot be copied, or merged, stops alone: the others are followed and can be cut over without it. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import type { FollowingEvent } from '../../src/observe/follow-events.ts';
import type { Status } from '../../src/observe/status.ts';
import { assertEqualTable } from '../support/compare.ts';
import { assertCode, documentsOf } from '../support/fault.ts';
import type { Following } from '../support/follow.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';

const env = { ...inline, MONGO_COLLECTION: 'things,others,new*' };

/** Two followed collections, and an existing table with the name of a third. */
async function setStage(t: TestContext): Promise<FollowScene> {
  const scene = await setFollowScene(t);
  await scene.otherCollection('others').insertMany(documentsOf(50));
  await scene.query("CREATE TABLE newcomer (note text); INSERT INTO newcomer VALUES ('of somebody else')");
  return scene;
}

const untilStopped = (following: Following, names: readonly string[]): Promise<FollowingEvent> =>
  following.until('following', ({ stopped }) =>
    names.every((name) => stopped.some(({ source }) => source.endsWith(`.${name}`))),
  );

const readOthers = (scene: FollowScene): Promise<unknown[]> =>
  scene.query('SELECT *, xmin::text FROM others ORDER BY _id');

describe('a collection that has stopped', () => {
  it('is created while others are followed, and cannot be copied: these are followed and cut over without it', async (t) => {
    const scene = await setStage(t);
    const following = scene.follow(env);
    await following.until('following');
    await scene.otherCollection('newcomer').insertMany(documentsOf(20));
    const failed = await following.until('failed');
    assert.deepEqual([failed.code, failed.isAlone], ['TABLE_HAS_ROWS', true]);
    await scene.otherCollection('others').drop();
    const { stopped, obstacles, lagMs } = await untilStopped(following, ['newcomer', 'others']);
    // The dropped one may be the first that is found stopped.
    const reasons = stopped.map(({ reason }) => reason).join();
    for (const reason of [/already exists and has rows/, /was dropped/]) assert.match(reasons, reason);
    for (const name of [/stopped: .*newcomer/, /stopped: .*others/]) assert.match(obstacles.join(), name);
    assert.equal(lagMs, 0, 'what waits of it is no lag of the others');
    // Writes to it do not cause repeated copies.
    await scene.otherCollection('newcomer').insertMany(documentsOf(20, 100));
    await scene.collection.updateMany({ even: true }, { $set: { text: 'continues' } });
    await following.until(
      'following',
      ({ documentsMerged, waiting }) => documentsMerged >= 250 && waiting === 0,
    );
    await scene.assertEqual();
    assert.equal(following.events.filter(({ kind }) => kind === 'failed').length, 2);

    const status = await scene.run(env, 'status', '--json');
    const [stream] = (JSON.parse(status.stdout) as Status).streams;
    assert.match(
      stream?.obstacles.join('; ') ?? '',
      /newcomer has stopped: .*has rows; others has stopped: .*dropped/,
    );
    const refusals: readonly [string[], number, RegExp][] = [
      [
        [],
        ExitCode.notReady,
        /newcomer has stopped: .*--restart-only newcomer; or cut over without it: --leave-out newcomer/,
      ],
      [['--leave-out', 'newcomer'], ExitCode.notReady, /others has stopped: .*--leave-out others/],
      [['--leave-out', 'things'], ExitCode.usage, /LEAVE_OUT names things, which is not stopped/],
      [['--leave-out', 'new*,another'], ExitCode.usage, /LEAVE_OUT names another, which is not stopped/],
    ];
    for (const [args, code, words] of refusals) {
      const refused = await scene.run(env, 'cutover', ...args);
      assertCode(refused, code);
      assert.match(refused.stderr, words);
    }
    const leaveOut = ['--leave-out', 'newcomer,others'];
    const check = await scene.run(env, 'cutover', '--check', ...leaveOut);
    assertCode(check, ExitCode.ok);
    assert.match(check.stdout, /can be cut over without .*newcomer, .*others/);
    // Writes to it do not have to stop. Seen red where the reader does not check again what it reads when a cutover begins.
    let isWriting = true;
    const write = async (): Promise<void> => {
      for (let n = 0; isWriting; n++) {
        await scene
          .otherCollection('newcomer')
          .updateOne({ _id: 1 as never }, { $set: { text: `write ${n}` } });
      }
    };
    const writing = write();
    const done = await scene.run(env, 'cutover', ...leaveOut);
    isWriting = false;
    await writing;
    assertCode(done, ExitCode.ok);
    assert.match(done.stdout, /"kind":"cut-over".*"leftOut":\[".*newcomer",".*others"\]/);
    const { code, stderr } = await following.result;
    assert.equal(code, ExitCode.target, 'that one has failed is not forgotten');
    assert.match(stderr, /newcomer.*has rows[^]*others is not followed any more/);
    await scene.assertEqual();
  });

  it('is restarted alone, and the others resume where they were', async (t) => {
    const scene = await setStage(t);
    await scene.otherCollection('newcomer').insertMany(documentsOf(20));
    const first = scene.follow(env);
    // If it cannot be copied at the start, the others are followed nevertheless.
    await untilStopped(first, ['newcomer']);
    await scene.otherCollection('others').drop();
    await untilStopped(first, ['newcomer', 'others']);
    await scene.otherCollection('others').insertMany(documentsOf(30, 7_000));
    await first.stop();
    const before = await scene.query('SELECT *, xmin::text FROM things ORDER BY _id');
    const unknown = await scene.run(env, '--follow', '--restart-only', 'another');
    assertCode(unknown, ExitCode.usage);
    assert.match(unknown.stderr, /RESTART_ONLY names another.*there are: newcomer, others, things/);
    await scene.query('DROP TABLE newcomer');
    const second = scene.follow(env, '--restart-only', 'others');
    await second.until('following', ({ collections }) => collections.length === 3);
    assert.deepEqual(await scene.query('SELECT *, xmin::text FROM things ORDER BY _id'), before);
    for (const name of ['things', 'others', 'newcomer']) {
      await scene.otherCollection(name).updateMany({ even: true }, { $set: { text: 'all continue' } });
      await scene.otherCollection(name).deleteOne({ even: false });
    }
    await scene.untilMerged(second);
    const cutOver = await scene.run(env, 'cutover');
    assertCode(cutOver, ExitCode.ok);
    assert.equal((await second.result).code, ExitCode.ok);
    for (const name of ['things', 'others', 'newcomer']) {
      await assertEqualTable(scene.otherCollection(name), scene.client, name);
    }
  });

  it('can no longer be merged: its changes wait, and its table stays as it was', async (t) => {
    const scene = await setStage(t);
    const first = scene.follow(env);
    await first.until('following');
    await scene.query('ALTER TABLE others RENAME COLUMN text TO renamed');
    const before = await readOthers(scene);
    await scene.otherCollection('others').updateMany({}, { $set: { text: 'waits' } });
    const { stopped } = await untilStopped(first, ['others']);
    assert.match(stopped[0]?.reason ?? '', /"text"/);
    await scene.collection.updateMany({ even: true }, { $set: { text: 'continues' } });
    await first.until('following', ({ documentsMerged, waiting }) => documentsMerged >= 250 && waiting === 0);
    await scene.assertEqual();
    assert.deepEqual(await readOthers(scene), before);
    const refused = await scene.run(env, 'cutover', '--check');
    assertCode(refused, ExitCode.notReady);
    assert.match(refused.stderr, /others has stopped/);
    assert.equal((await first.stop()).code, ExitCode.sigint);
    // Nothing is lost: pending changes are merged as soon as possible.
    await scene.query('ALTER TABLE others RENAME COLUMN renamed TO text');
    const second = scene.follow(env);
    await scene.untilMerged(second);
    await assertEqualTable(scene.otherCollection('others'), scene.client, 'others');
    await second.stop();
  });
});
