/** Commands for a single process, while several hosts copy or follow: refused while one leads, and safe while none does. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { makeDirectory } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { untilMerged } from '../support/follow.ts';
import { inline } from '../support/follow-scene.ts';
import { assertAccount, beginHeld, expire, join, longLease, waitForHostId } from '../support/hosts.ts';
import {
  assertMergedOnce,
  cutOverAll,
  findIdOf,
  followByTwo,
  setText,
  waitForSlots,
  writeEverywhere,
} from '../support/hosts-follow.ts';
import { idOnly } from '../support/promote.ts';

/** Nothing but the key has a column. */
async function writePlan(t: TestContext): Promise<string> {
  const path = joinPath(await makeDirectory(t), 'plan.json');
  await writeFile(path, JSON.stringify(idOnly));
  return path;
}

const readRows = (scene: Scene): Promise<unknown[]> => scene.query('SELECT * FROM things ORDER BY _id');

const promotion = ['promote', 'things', 'text'];

describe('while several hosts follow,', () => {
  it('promote, repair and a plain start are refused, and the hosts are not disturbed', async (t) => {
    const scene = await setScene(t, 500);
    const env = { PLAN: await writePlan(t) };
    const [leader, other] = await followByTwo(t, scene, { ofLeader: env, ofOther: env });
    for (const args of [promotion, ['repair'], ['--follow']]) {
      const refused = await scene.run({ ...inline, ...env }, ...args);
      assertCode(refused, ExitCode.usage);
      assert.match(refused.stdout, /"code":"STREAM_BUSY"/);
    }
    await waitForSlots(scene, { [leader.hostId]: 32, [other.hostId]: 32 });
    await writeEverywhere(scene, 1);
    await untilMerged(scene);
    await assertMergedOnce(scene);
    await cutOverAll(scene, [leader.run, other.run]);
  });

  // Red where a host that has not left keeps its slots.
  it('promote takes the slots of a host that has a merge in flight, where the leader was killed: it follows by the new plan', async (t) => {
    const scene = await setScene(t, 500);
    const env = { PLAN: await writePlan(t) };
    const merging = await setFailpoints(t, { 'worker-before-merge-commit': 'pause' });
    const [leader, other] = await followByTwo(t, scene, {
      ofLeader: env,
      ofOther: { ...env, ...merging.env },
    });
    const id = await findIdOf(scene, other.hostId);
    await setText(scene, id, 'in flight');
    await merging.waitUntilFired('worker-before-merge-commit');
    leader.run.process.kill('SIGKILL');
    await leader.run.result;
    assertCode(await scene.run(inline, ...promotion), ExitCode.ok);
    await merging.resume('worker-before-merge-commit');
    await expire(scene, leader.hostId);
    await waitForSlots(scene, { [other.hostId]: 64 });
    await untilMerged(scene);
    assert.deepEqual(await scene.query('SELECT text FROM things WHERE _id = $1', [id]), [
      { text: 'in flight' },
    ]);
    await writeEverywhere(scene, 1);
    await untilMerged(scene);
    assert.deepEqual(
      await scene.query(`SELECT FROM things WHERE _extra ? 'text' OR text IS NULL`),
      [],
      'all are promoted',
    );
    await cutOverAll(scene, [other.run]);
  });

  // Red where a repair waits for a merge without end: nobody else is there to end its session.
  it('repair takes the slots of a host that hangs in a merge, where the leader was killed: it follows from there on', async (t) => {
    const scene = await setScene(t, 500);
    const merging = await setFailpoints(t, { 'worker-before-merge-commit': 'pause' });
    const [leader, other] = await followByTwo(t, scene, { ofOther: merging.env });
    await setText(scene, await findIdOf(scene, other.hostId), 'in flight');
    await merging.waitUntilFired('worker-before-merge-commit');
    other.run.process.kill('SIGSTOP');
    leader.run.process.kill('SIGKILL');
    await leader.run.result;
    await writeEverywhere(scene, 1);
    assertCode(await scene.run(inline, 'repair'), ExitCode.ok);
    const rows = await readRows(scene);
    await merging.resume('worker-before-merge-commit');
    other.run.process.kill('SIGCONT');
    await expire(scene, leader.hostId);
    await waitForSlots(scene, { [other.hostId]: 64 });
    await untilMerged(scene);
    assert.notDeepEqual(await readRows(scene), rows, 'what differed is merged');
    await writeEverywhere(scene, 2);
    await cutOverAll(scene, [other.run]);
  });
});

describe('while several hosts copy,', () => {
  it('a plain start, retry and promote are refused, and the hosts are not disturbed', async (t) => {
    const scene = await setScene(t, 2_000);
    const { leader, hold } = await beginHeld(t, scene, longLease);
    const other = join(t, scene, longLease);
    await waitForHostId(scene, other);
    for (const args of [[], ['--restart'], ['retry'], promotion]) {
      const refused = await scene.run(inline, ...args);
      assertCode(refused, ExitCode.usage);
      assert.match(refused.stdout, /"code":"TABLE_BUSY"/);
    }
    await hold.resume('primary-after-ack');
    for (const { result } of [leader, other]) assertCode(await result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 2_000);
  });

  for (const args of [[], ['--restart']] as const) {
    // Red where a batch is taken whatever the epoch of its range.
    it(`a plain start (${args.join(' ') || 'resuming'}) takes the ranges of a host with a batch in flight, where the leader was killed: each document is there once`, async (t) => {
      const scene = await setScene(t, 2_000);
      const { leader } = await beginHeld(t, scene, longLease);
      const loading = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
      const other = join(t, scene, { ...longLease, ...loading.env });
      await loading.waitUntilFired('worker-before-commit');
      leader.process.kill('SIGKILL');
      await leader.result;
      assertCode(await scene.run(inline, ...args), 0);
      await scene.assertEqual();
      await loading.resume('worker-before-commit');
      const result = await other.result;
      assertCode(result, ExitCode.target);
      assert.match(result.stdout, /"code":"RUN_TAKEN_OVER"/);
      await scene.assertEqual();
    });
  }
});
