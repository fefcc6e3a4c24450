/** Hosts in network namespaces of their own: the link of one goes down, which closes and resets nothing. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { setFailpoints, type FailpointRules, type Failpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { untilMerged } from '../support/follow.ts';
import { lacksNamespaces, setHostNetwork, type HostNetwork } from '../support/host-network.ts';
import {
  assertAccount,
  countRangesOf,
  declareDead,
  hostIdsOf,
  longLease,
  readCommitted,
  readHosts,
  startHost,
  waitForHostId,
} from '../support/hosts.ts';
import {
  assertMergedOnce,
  cutOverAll,
  findIdOf,
  following,
  setText,
  waitForSlots,
  writeEverywhere,
  type FollowingHost,
} from '../support/hosts-follow.ts';

interface NetworkedHost extends FollowingHost {
  readonly network: HostNetwork;
  readonly failpoints: Failpoints;
}

interface HostWishes {
  readonly rules?: FailpointRules;
  /** Waits until it is held there. */
  readonly heldAt?: FailpointName;
  readonly env?: Readonly<Record<string, string>>;
}

/** A host in a network of its own. */
async function startNetworked(
  t: TestContext,
  scene: Scene,
  command: '--hosts' | 'join',
  { rules = {}, heldAt, env = longLease }: HostWishes = {},
): Promise<NetworkedHost> {
  const network = await setHostNetwork(t, scene);
  const failpoints = await setFailpoints(t, rules);
  const run = startHost(t, scene, { ...env, ...failpoints.env, ...network.env }, [command], network);
  if (heldAt !== undefined) await failpoints.waitUntilFired(heldAt);
  return { run, hostId: await waitForHostId(scene, run), network, failpoints };
}

const leaderWishes: HostWishes = {
  rules: { 'primary-after-ack': 'pause@3x*', 'primary-before-load-checkpoint': 'pause' },
  heldAt: 'primary-after-ack',
};

const joinedWishes: HostWishes = {
  rules: { 'worker-before-commit': 'pause@3x*' },
  heldAt: 'worker-before-commit',
};

describe('a host whose link goes down', { skip: lacksNamespaces() }, () => {
  // Red where a batch is taken whatever the epoch of its range.
  it('until it is declared dead: others finish what it had; with the link up it writes nothing, joins again, and ends with 0', async (t) => {
    const scene = await setScene(t, 2_000);
    const leader = await startNetworked(t, scene, '--hosts', leaderWishes);
    const away = await startNetworked(t, scene, 'join', joinedWishes);
    const other = await startNetworked(t, scene, 'join');
    assert.ok((await countRangesOf(scene, away.hostId)) > 0);

    away.network.cut();
    await declareDead(scene, away.hostId);
    assert.equal(await countRangesOf(scene, away.hostId), 0);
    await leader.failpoints.resume('primary-after-ack');
    await leader.failpoints.waitUntilFired('primary-before-load-checkpoint');
    const committed = await readCommitted(scene);

    await away.failpoints.resume('worker-before-commit');
    away.network.restore();
    // It notices that it was declared dead, and joins again.
    await waitForHostId(scene, away.run);
    assert.deepEqual(await readCommitted(scene), committed);
    await leader.failpoints.resume('primary-before-load-checkpoint');
    for (const { run } of [leader, away, other]) assertCode(await run.result, 0);
    assert.equal(hostIdsOf(await away.run.result).length, 2);
    await scene.assertEqual();
    await assertAccount(scene, 2_000);
  });

  it('while it leads: another leads; with the link up the first writes nothing, joins again, and ends with 0', async (t) => {
    const scene = await setScene(t, 2_000);
    const leader = await startNetworked(t, scene, '--hosts', leaderWishes);
    const other = await startNetworked(t, scene, 'join', {
      rules: { 'primary-before-load-checkpoint': 'pause' },
    });
    leader.network.cut();
    await declareDead(scene, leader.hostId);
    await other.failpoints.waitUntilFired('primary-before-load-checkpoint');
    const committed = await readCommitted(scene);
    await leader.failpoints.resume('primary-after-ack');
    leader.network.restore();
    await waitForHostId(scene, leader.run);
    assert.deepEqual(await readCommitted(scene), committed);
    await other.failpoints.resume('primary-before-load-checkpoint');
    for (const { run } of [leader, other]) assertCode(await run.result, 0);
    const leads = (await readHosts(scene)).filter(({ isLead }) => isLead);
    assert.deepEqual(
      leads.map(({ hostId, endReason }) => [hostId, endReason]),
      [
        [leader.hostId, 'dead'],
        [other.hostId, 'finished'],
      ],
    );
    await scene.assertEqual();
    await assertAccount(scene, 2_000);
  });

  it('and stays down: it ends by itself, and the others finish', async (t) => {
    const scene = await setScene(t, 2_000);
    const leader = await startNetworked(t, scene, '--hosts', leaderWishes);
    const env = { ...longLease, ANSWER_TIMEOUT_SECONDS: '1', RETRY_SECONDS: '1' };
    const away = await startNetworked(t, scene, 'join', { ...joinedWishes, env });
    away.network.cut();
    await away.failpoints.resume('worker-before-commit');
    const { code, stdout } = await away.run.result;
    assert.ok(code === ExitCode.source || code === ExitCode.target, stdout);
    await declareDead(scene, away.hostId);
    for (const name of Object.keys(leaderWishes.rules ?? {}) as FailpointName[]) {
      await leader.failpoints.resume(name);
    }
    assertCode(await leader.run.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 2_000);
  });

  // Red where a merge is taken whatever the epoch of its slot.
  it('while they follow: others merge what it had, once, and a leader that was away takes part again', async (t) => {
    const scene = await setScene(t, 500);
    const leader = await startNetworked(t, scene, '--hosts', { env: following });
    await waitForSlots(scene, { [leader.hostId]: 64 });
    const away = await startNetworked(t, scene, 'join', {
      env: following,
      rules: { 'worker-before-merge-commit': 'pause' },
    });
    await waitForSlots(scene, { [leader.hostId]: 32, [away.hostId]: 32 });
    await setText(scene, await findIdOf(scene, away.hostId), 'in flight');
    await away.failpoints.waitUntilFired('worker-before-merge-commit');
    away.network.cut();
    await declareDead(scene, away.hostId);
    await waitForSlots(scene, { [leader.hostId]: 64 });
    await writeEverywhere(scene, 1);
    await untilMerged(scene);
    const merged = await scene.query('SELECT *, xmin::text FROM things ORDER BY _id');
    await away.failpoints.resume('worker-before-merge-commit');
    away.network.restore();
    const again = await waitForHostId(scene, away.run);
    await waitForSlots(scene, { [leader.hostId]: 32, [again]: 32 });
    assert.deepEqual(await scene.query('SELECT *, xmin::text FROM things ORDER BY _id'), merged);

    leader.network.cut();
    await declareDead(scene, leader.hostId);
    await waitForSlots(scene, { [again]: 64 });
    await writeEverywhere(scene, 2);
    leader.network.restore();
    const led = await waitForHostId(scene, leader.run);
    await waitForSlots(scene, { [again]: 32, [led]: 32 });
    await writeEverywhere(scene, 3);
    await untilMerged(scene);
    await assertMergedOnce(scene);
    await cutOverAll(scene, [leader.run, away.run]);
  });
});
