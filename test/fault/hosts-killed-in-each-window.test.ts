/** Hosts that are killed one after the other, each at another place: the others copy what each of them had, once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';
import {
  assertAccount,
  begin,
  beginHeld,
  countRangesOf,
  declareDead,
  expire,
  hostIdsOf,
  join,
  longLease,
  waitForEnd,
} from '../support/hosts.ts';

/** Whether the host has ranges there. */
const windows: readonly [FailpointName, kill: `kill${string}`, hasRanges: boolean][] = [
  ['host-before-join', 'kill', false],
  ['host-before-join-commit', 'kill', false],
  ['host-before-take-commit', 'kill@2', true],
  ['host-after-take', 'kill@2', true],
  ['worker-before-claim', 'kill@2', true],
  ['worker-in-copy', 'kill@2', true],
  ['worker-before-commit', 'kill@2', true],
  ['worker-before-ack', 'kill@2', true],
  ['host-before-range-end', 'kill', true],
];

describe('a host killed', () => {
  // Red where the ranges of a dead host are not released, and where they are read whole and not their gaps alone.
  it('in each window: the others finish what it had, and copy nothing twice', async (t) => {
    const scene = await setScene(t, 4_000);
    const { leader, hold } = await beginHeld(t, scene, longLease);
    for (const [window, kill, hasRanges] of windows) {
      const killing = await setFailpoints(t, { [window]: kill });
      const killed = await join(t, scene, { ...longLease, ...killing.env }).result;
      assert.equal(killed.signal, 'SIGKILL', `${window}: ${killed.stderr}`);
      const [hostId] = hostIdsOf(killed);
      assert.equal(hostId !== undefined, hasRanges, window);
      if (hostId === undefined) continue;
      assert.ok((await countRangesOf(scene, hostId)) > 0, window);
      await declareDead(scene, hostId);
      assert.equal(await countRangesOf(scene, hostId), 0, window);
    }
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 4_000);
  });

  // Red where the ledger does not record the owner of the rest of a split range.
  it('when it has split a range: the others read both parts', async (t) => {
    // One range for the leader, and one for the other.
    const scene = await setScene(t, 500);
    const hold = await setFailpoints(t, { 'host-after-take': 'pause' });
    const leader = begin(t, scene, { ...longLease, ...hold.env, READ_RANGES: '1' });
    await hold.waitUntilFired('host-after-take');
    const killing = await setFailpoints(t, { 'primary-after-split': 'kill' });
    const env = { ...longLease, ...killing.env, ITEMS_PER_PAGE: '5', READ_RANGES: '2' };
    const killed = await join(t, scene, env).result;
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    const [hostId = ''] = hostIdsOf(killed);
    assert.equal(await countRangesOf(scene, hostId), 2);
    await expire(scene, hostId);
    await hold.resume('host-after-take');
    assertCode(await leader.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 500);
  });

  // Red where a host fails others over only once.
  it('when it is about to fail another over: a third fails both over', async (t) => {
    const scene = await setScene(t, 2_000);
    const { leader, hold } = await beginHeld(t, scene, longLease, { 'host-before-failover': 'pause' });
    const gone: string[] = [];
    for (const [window, kill] of [
      ['worker-before-claim', 'kill@2'],
      ['host-before-failover', 'kill'],
    ] as const) {
      const killing = await setFailpoints(t, { [window]: kill });
      const killed = await join(t, scene, { ...longLease, ...killing.env }).result;
      assert.equal(killed.signal, 'SIGKILL', killed.stderr);
      const [hostId = ''] = hostIdsOf(killed);
      gone.push(hostId);
      await expire(scene, hostId);
    }
    await hold.resume('host-before-failover');
    for (const hostId of gone) await waitForEnd(scene, hostId, 'dead');
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 2_000);
  });
});
