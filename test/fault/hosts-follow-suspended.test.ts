/** Hosts that follow, and are suspended or cut off until others have what they had: they can change nothing any more. */

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { setScene, type Scene } from '../support/fault.ts';
import { untilMerged } from '../support/follow.ts';
import { declareDead, hostIdsOf, startProxyTo, waitForHostId } from '../support/hosts.ts';
import {
  cutOverAll,
  findIdOf,
  followByTwo,
  hexOf,
  setText,
  waitForSlots,
  writeEverywhere,
} from '../support/hosts-follow.ts';

async function readText(scene: Scene, id: number): Promise<string | undefined> {
  const [row] = await scene.query<{ text: string }>('SELECT text FROM things WHERE _id = $1', [id]);
  return row?.text;
}

describe('a host that follows and is suspended past its lease', () => {
  const windows: readonly FailpointName[] = ['worker-in-merge', 'worker-before-merge-commit'];
  // Red where a slot is locked for a merge whatever its epoch: nobody has drained it since, so that the number of the drain is right.
  for (const window of windows) {
    it(`at ${window}: others take its slots; when it resumes it writes nothing, and joins again`, async (t) => {
      const scene = await setScene(t, 500);
      const merging = await setFailpoints(t, { [window]: 'pause' });
      const held = await setFailpoints(t, { 'primary-before-drain': 'pause' });
      const [leader, other] = await followByTwo(t, scene, { ofLeader: held.env, ofOther: merging.env });
      const id = await findIdOf(scene, other.hostId);
      await setText(scene, id, 'in the hands of the suspended host');
      await merging.waitUntilFired(window);
      other.run.process.kill('SIGSTOP');
      await declareDead(scene, other.hostId);
      await waitForSlots(scene, { [leader.hostId]: 64 });
      // The leader has taken the change, and is held before it reads the document.
      await held.waitUntilFired('primary-before-drain');
      await merging.resume(window);
      other.run.process.kill('SIGCONT');
      const again = await waitForHostId(scene, other.run);
      await waitForSlots(scene, { [leader.hostId]: 32, [again]: 32 });
      assert.equal(await readText(scene, id), `text ${id}`);
      await held.resume('primary-before-drain');
      await writeEverywhere(scene, 1);
      await cutOverAll(scene, [leader.run, other.run]);
      assert.equal(hostIdsOf(await other.run.result).length, 2);
    });
  }
});

describe('the leader of hosts that follow, suspended past its lease', () => {
  // Red where the position of a stream is recorded whatever its epoch.
  it('with changes that it has read: another leads; when it resumes it records nothing, and joins again', async (t) => {
    const scene = await setScene(t, 500);
    const reading = await setFailpoints(t, { 'primary-before-journal': `pause?${hexOf(77_777)}` });
    const held = await setFailpoints(t, { 'primary-before-journal': 'pause' });
    const [leader, other] = await followByTwo(t, scene, { ofLeader: reading.env, ofOther: held.env });
    await setText(scene, 77_777, 'read by the first');
    await reading.waitUntilFired('primary-before-journal');
    leader.run.process.kill('SIGSTOP');
    await declareDead(scene, leader.hostId);
    await held.waitUntilFired('primary-before-journal');
    const readStream = (): Promise<unknown[]> => scene.query('SELECT *, xmin::text FROM mongo2pg.streams');
    const stream = await readStream();
    await reading.resume('primary-before-journal');
    leader.run.process.kill('SIGCONT');
    await waitForHostId(scene, leader.run);
    assert.deepEqual(await readStream(), stream);
    assert.deepEqual(await scene.query('SELECT FROM mongo2pg.changes'), []);
    await held.resume('primary-before-journal');
    await writeEverywhere(scene, 1);
    await cutOverAll(scene, [leader.run, other.run]);
    assert.equal(hostIdsOf(await leader.run.result).length, 2);
  });
});

describe('a host that follows and is cut off from PostgreSQL past its lease', () => {
  it('loses its slots; when it is back it joins again, and is given some', async (t) => {
    const scene = await setScene(t, 500);
    const { proxy, url } = await startProxyTo(t, scene.env.POSTGRES_URL ?? '');
    const [leader, other] = await followByTwo(t, scene, { ofOther: { POSTGRES_URL: url } });
    proxy.refuse();
    proxy.cut();
    await writeEverywhere(scene, 1);
    await declareDead(scene, other.hostId);
    await waitForSlots(scene, { [leader.hostId]: 64 });
    await untilMerged(scene);
    await proxy.restore();
    const again = await waitForHostId(scene, other.run);
    await waitForSlots(scene, { [leader.hostId]: 32, [again]: 32 });
    await writeEverywhere(scene, 2);
    await cutOverAll(scene, [leader.run, other.run]);
  });
});
