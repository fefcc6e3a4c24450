/** Workers that crash during a merge: another does it, once. A document that crashes them becomes a dead letter alone. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pool } from '../support/cli.ts';
import { makeDirectory } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, documentsOf, lacksSeparateWorkers, lacksWorkerProcess } from '../support/fault.ts';
import { inline, setFollowScene, type FollowScene } from '../support/follow-scene.ts';
import { WorkerProcesses } from '../support/worker-processes.ts';
import { planWithLines } from '../support/plan-with-lines.ts';

const marker = 'ends every worker that looks at it';

async function write(scene: FollowScene, round: number): Promise<void> {
  await scene.collection.insertMany(documentsOf(100, 10_000 + 1_000 * round));
  await scene.collection.updateMany({ even: true }, { $set: { text: `round ${round}` } });
  await scene.collection.deleteMany({ _id: { $gte: (10 * round) as never, $lt: (10 * round + 5) as never } });
}

/** Rows are those copied, with those inserted and without those deleted: a merge that was done twice would count twice. */
async function assertBalance(scene: FollowScene): Promise<void> {
  const [row] = await scene.query<{ isBalanced: boolean }>(
    `SELECT (SELECT count(*) FROM things)
            = (SELECT sum(copied) FROM mongo2pg.batches) + (SELECT sum(inserted) - sum(deleted) FROM mongo2pg.slots)
            AS "isBalanced"`,
  );
  assert.equal(row?.isBalanced, true, 'the account of the slots');
}

describe('a worker that merges', { skip: lacksSeparateWorkers(pool) }, () => {
  it('killed in each window', async (t) => {
    const scene = await setFollowScene(t);
    const first = scene.follow(inline);
    await first.until('following');
    await first.stop();
    const failpoints = await setFailpoints(t, {
      'worker-in-merge': 'kill@3',
      'worker-before-merge-commit': 'kill@20',
      'worker-before-ack': 'kill@40',
    });
    const following = scene.follow(failpoints.env);
    await following.until('following');
    for (const round of [1, 2]) {
      await write(scene, round);
      await scene.untilMerged(following);
    }
    for (const window of ['worker-in-merge', 'worker-before-merge-commit', 'worker-before-ack'] as const) {
      assert.equal(await failpoints.countFirings(window), 1, window);
    }
    await scene.assertEqual();
    await assertBalance(scene);
    await following.stop();
  });

  // A merge that is made twice leaves the same rows; a trigger sees that its child rows were made twice.
  // Red where the number of the drain is not checked when its slot is locked.
  it('killed after its commit, before its ack: the merge is not repeated', async (t) => {
    const scene = await setFollowScene(t, 20);
    const path = join(await makeDirectory(t), 'plan.json');
    await writeFile(path, JSON.stringify(planWithLines));
    const env = { VERIFY_SHARE: '0%' };
    const first = scene.follow({ ...inline, ...env }, '--plan', path);
    await first.until('following');
    await first.stop();
    await scene.query(
      `CREATE TABLE made (sku text);
       CREATE FUNCTION note_made() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO made VALUES (NEW.sku); RETURN NEW; END $$;
       CREATE TRIGGER note_made AFTER INSERT ON thing_lines FOR EACH ROW EXECUTE FUNCTION note_made()`,
    );
    const failpoints = await setFailpoints(t, { 'worker-before-ack': 'kill' });
    const following = scene.follow({ ...env, ...failpoints.env }, '--plan', path);
    await following.until('following');
    await scene.collection.updateOne(
      { _id: 7 as never },
      { $set: { lines: [{ sku: 'nail' }, { sku: 'screw' }] } },
    );
    await failpoints.waitUntilFired('worker-before-ack');
    // Once this is merged, the redelivered merge before it was done.
    await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'changed', lines: [] } });
    await scene.untilMerged(following);
    assert.deepEqual(await scene.query('SELECT sku FROM made ORDER BY 1'), [
      { sku: 'nail' },
      { sku: 'screw' },
    ]);
    assertCode(await scene.run(env, 'verify'), 0);
    await following.stop();
  });

  // Red where its session is waited for.
  it('stopped during a merge whose primary is killed: the next start terminates its session', async (t) => {
    if (lacksWorkerProcess !== false) {
      t.skip(lacksWorkerProcess);
      return;
    }
    const scene = await setFollowScene(t, 20);
    const failpoints = await setFailpoints(t, { 'worker-before-merge-commit': 'pause' });
    const first = scene.follow(failpoints.env);
    await first.until('following');
    await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'changed' } });
    const worker = await failpoints.waitUntilFired('worker-before-merge-commit');
    process.kill(worker, 'SIGSTOP');
    // Its output stays open as long as the worker is there.
    const exited = once(first.process, 'exit');
    first.process.kill('SIGKILL');
    await exited;
    // Far longer than it takes, and shorter than the wait for the session.
    const second = scene.follow({ RETRY_SECONDS: '20', ANSWER_TIMEOUT_SECONDS: '20' });
    try {
      await second.until('following');
    } finally {
      process.kill(worker, 'SIGKILL');
    }
    await scene.untilMerged(second);
    await scene.assertEqual();
    await second.stop();
  });

  // Red where a batch is redelivered immediately: the next worker may be dead too, without being noticed yet.
  it('killed with all others, twice, over one document: that is merged', async (t) => {
    if (lacksWorkerProcess !== false) {
      t.skip(lacksWorkerProcess);
      return;
    }
    const scene = await setFollowScene(t, 20);
    const first = scene.follow(inline);
    await first.until('following');
    await first.stop();
    const workers = await WorkerProcesses.watch(t, { 'worker-in-merge': 'pausex2' });
    const { failpoints } = workers;
    const following = scene.follow({ ...failpoints.env, CLUSTER_SIZE: '3' });
    await following.until('following');
    await scene.collection.updateOne({ _id: 7 as never }, { $set: { text: 'changed' } });
    for (const round of [1, 2]) {
      await failpoints.waitUntilFired('worker-in-merge', round);
      await workers.killAll(following.process.pid ?? 0, 3);
    }
    await scene.untilMerged(following);
    await scene.assertEqual();
    await following.stop();
  });

  it('killed three times while it merges a deleted document', async (t) => {
    const scene = await setFollowScene(t);
    const first = scene.follow(inline);
    await first.until('following');
    await first.stop();
    await scene.collection.deleteOne({ _id: 7 as never });
    const failpoints = await setFailpoints(t, { 'worker-in-merge': 'killx3' });
    const following = scene.follow(failpoints.env);
    await scene.untilMerged(following);
    assert.equal(await failpoints.countFirings('worker-in-merge'), 3);
    await scene.assertEqual();
    await following.stop();
  });

  it('crashed by a document: only that becomes a dead letter, and a row again when it is changed', async (t) => {
    const scene = await setFollowScene(t, 2_000);
    const failpoints = await setFailpoints(t, {
      'worker-transcode': `kill?${Buffer.from(marker).toString('hex')}x*`,
    });
    const following = scene.follow(failpoints.env);
    await following.until('following');
    await scene.collection.updateMany(
      { _id: { $lt: 1_000 as never } },
      { $set: { text: 'beside the others' } },
    );
    await scene.collection.updateOne({ _id: 437 as never }, { $set: { text: marker } });
    await scene.untilMerged(following);
    await scene.assertEqual({ deadLetters: [437] });
    const letters = await scene.query<{ reason: string }>('SELECT reason FROM mongo2pg.dead_letters');
    assert.deepEqual(letters, [{ reason: 'worker_died' }]);
    await scene.collection.updateOne({ _id: 437 as never }, { $set: { text: 'harmless' } });
    await scene.untilMerged(following);
    await scene.assertEqual();
    await assertBalance(scene);
    await following.stop();
  });
});
