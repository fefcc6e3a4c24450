/** A promote while a worker of an earlier follower still runs, and a killed promote that stays unfinished while changes are followed. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { runProcess } from '../support/cli.ts';
import { makeDirectory, waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, lacksWorkerProcess } from '../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';
import { idOnly } from '../support/promote.ts';

/** Nothing but the key has a column. */
async function writePlan(t: TestContext): Promise<string> {
  const path = join(await makeDirectory(t), 'plan.json');
  await writeFile(path, JSON.stringify(idOnly));
  return path;
}

const readRows = (scene: FollowScene): Promise<unknown[]> =>
  scene.query('SELECT *, xmin::text FROM things ORDER BY _id');

const promotion = ['promote', 'things', 'text'];

describe('a promote', () => {
  // Red where slots keep the epoch of the process that followed: the field is in the extra column again, and no longer in its own.
  it('is not undone by a worker that resumes an earlier merge', { skip: lacksWorkerProcess }, async (t) => {
    const scene = await setFollowScene(t, 60);
    const env = { PLAN: await writePlan(t), VERIFY_SHARE: '0%' };
    const before = scene.follow(env);
    await before.until('following');
    await before.stop();
    const failpoints = await setFailpoints(t, { 'worker-in-merge': 'pause', 'worker-before-ack': 'pausex*' });
    const first = scene.follow({ ...env, ...failpoints.env });
    await first.until('following');
    await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'merged late' } });
    await failpoints.waitUntilFired('worker-in-merge');
    first.process.kill('SIGSTOP');
    await waitUntil('all sessions but that of its worker are gone', async () => {
      const sessions = await scene.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name LIKE 'mongo2pg%' AND application_name NOT LIKE 'mongo2pg worker%' AND datname = current_database()`,
      );
      return sessions.length === 0;
    });
    assertCode(await scene.run(inline, ...promotion), ExitCode.ok);
    const rows = await readRows(scene);
    await failpoints.resume('worker-in-merge');
    await failpoints.waitUntilFired('worker-before-ack');
    assert.deepEqual(await readRows(scene), rows, 'it has merged nothing');
    first.process.kill('SIGKILL');
    await first.result;
    const second = scene.follow({ ...inline, ...env });
    await scene.untilMerged(second);
    await scene.assertEqual();
    assert.deepEqual(await scene.query('SELECT text FROM things WHERE _id = 7'), [{ text: 'merged late' }]);
    await second.stop();
  });

  // Red where a cutover does not check for unfinished promotions, and where rows are compared as if they were all promoted.
  it('that was killed blocks a cutover, but not following, until it is finished', async (t) => {
    const scene = await setFollowScene(t, 60);
    const env = { ...inline, PLAN: await writePlan(t), VERIFY_SHARE: '100%' };
    const first = scene.follow(env);
    await first.until('following');
    await first.stop();
    const failpoints = await setFailpoints(t, { 'promote-after-begin': 'kill' });
    const killed = await runProcess(promotion, { ...scene.env, ...failpoints.env });
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);

    const second = scene.follow(env);
    await second.until('notice', ({ message }) =>
      message.includes(
        'the promotion of "text" in things is not finished, so that documents are not compared',
      ),
    );
    await scene.collection.updateMany({ even: true }, { $set: { text: 'by the new plan' } });
    await scene.collection.deleteOne({ _id: 1 as never });
    await scene.collection.insertOne({ _id: 100 as never, text: 'new', even: true });
    await scene.untilMerged(second);
    const untold = second.events.length;
    const reported = await second.until('following', (event) => second.events.indexOf(event) >= untold);
    const reason = 'the promotion of "text" in things is not finished';
    assert.deepEqual(reported.obstacles, [reason]);
    assert.ok(reported.collections.every(({ proof }) => proof === null || proof.different === 0));
    for (const args of [['cutover', '--check'], ['cutover']]) {
      const refused = await scene.run(inline, ...args);
      assertCode(refused, ExitCode.notReady);
      assert.match(
        refused.stderr,
        /not cut over: the promotion of "text" in things is not finished — stop the/,
      );
    }
    const status = await scene.run(inline, 'status');
    const { streams } = JSON.parse(status.stdout) as { streams: { obstacles: string[] }[] };
    assert.deepEqual(
      streams.map(({ obstacles }) => obstacles),
      [[reason]],
    );
    const busy = await scene.run(inline, ...promotion);
    assert.match(busy.stdout, /"code":"STREAM_BUSY"/);
    await second.stop();

    assertCode(await scene.run(inline, ...promotion), ExitCode.ok);
    const third = scene.follow(env);
    await third.until('following', ({ collections }) =>
      collections.every(({ proof }) => proof?.verifiedAt != null && proof.unverified === 0),
    );
    await scene.assertEqual();
    assertCode(await scene.run(inline, 'cutover'), ExitCode.ok);
    await third.result;
    await scene.assertEqual();
    assert.deepEqual(
      await scene.query(`SELECT FROM things WHERE _extra ? 'text' OR text IS NULL`),
      [],
      'all are promoted',
    );
  });
});
