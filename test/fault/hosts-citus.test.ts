/** Several hosts that load distributed tables of Citus: all connect to the coordinator, and one after the other is killed. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { describeCitus, lacksCitus, startCitus, type CitusCluster } from '../support/citus.ts';
import { assertCopied, distributed, setHostsScene } from '../support/citus-hosts.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode } from '../support/fault.ts';
import { begin, beginHeld, declareDead, hostIdsOf, join, waitForHostId } from '../support/hosts.ts';

const windows: readonly FailpointName[] = [
  'host-after-take',
  'worker-in-copy',
  'worker-before-commit',
  'worker-before-ack',
];

describe(`several hosts (${describeCitus() ?? 'no Citus here'})`, { skip: lacksCitus() }, () => {
  let citus: CitusCluster;
  before(async () => {
    citus = await startCitus();
  });
  after(async () => {
    await citus.remove();
  });

  it('killed in a batch, one after the other: the others finish what each had, and copy nothing twice', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, distributed);
    for (const window of windows) {
      const killing = await setFailpoints(t, { [window]: 'kill@2' });
      const killed = await join(t, scene, { ...distributed, ...killing.env }).result;
      assert.equal(killed.signal, 'SIGKILL', `${window}: ${killed.stderr}`);
      const [hostId = ''] = hostIdsOf(killed);
      await declareDead(scene, hostId);
    }
    const other = join(t, scene, distributed);
    await waitForHostId(scene, other);
    await hold.resume('primary-after-ack');
    for (const { result } of [leader, other]) assertCode(await result, ExitCode.ok);
    await assertCopied(scene);
  });

  it('of which the leader is killed: another leads', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader } = await beginHeld(t, scene, distributed);
    const leaderId = await waitForHostId(scene, leader);
    const other = join(t, scene, distributed);
    await waitForHostId(scene, other);
    leader.process.kill('SIGKILL');
    await leader.result;
    await declareDead(scene, leaderId);
    assertCode(await other.result, ExitCode.ok);
    await assertCopied(scene);
  });

  it('reconnect after a crash of the coordinator and a node, with batches in flight, and verify together', async (t) => {
    const scene = await setHostsScene(t, citus);
    const env = { ...distributed, VERIFY: 'true' };
    const { leader, hold } = await beginHeld(t, scene, env);
    const holding = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
    const other = join(t, scene, { ...env, ...holding.env });
    await holding.waitUntilFired('worker-before-commit');
    const servers = [citus.coordinator, ...citus.nodes.slice(0, 1)];
    for (const server of servers) await server.crash();
    await holding.resume('worker-before-commit');
    await hold.resume('primary-after-ack');
    for (const server of servers) await server.start();
    for (const { result } of [leader, other]) assertCode(await result, ExitCode.ok);
    await assertCopied(scene);
  });

  it('build indexes of distributed tables together, also where one is killed', async (t) => {
    const scene = await setHostsScene(t, citus);
    const hold = await setFailpoints(t, { 'host-before-build': 'pause@1x*' });
    const leader = begin(t, scene, { ...distributed, ...hold.env });
    await hold.waitUntilFired('host-before-build');
    const killing = await setFailpoints(t, { 'host-before-build-commit': 'kill' });
    const killed = await join(t, scene, { ...distributed, ...killing.env }).result;
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    const [killedId = ''] = hostIdsOf(killed);
    await declareDead(scene, killedId);
    const taking = await setFailpoints(t, { 'host-before-build': 'pause@1x*' });
    const other = join(t, scene, { ...distributed, ...taking.env });
    await taking.waitUntilFired('host-before-build');
    await taking.resume('host-before-build');
    await hold.resume('host-before-build');
    assertCode(await leader.result, ExitCode.ok);
    const joined = await other.result;
    assertCode(joined, ExitCode.ok);
    assert.match(joined.stdout, /this host has built \d/);
    await assertCopied(scene);
  });

  // Red where a host checks the server only after it has joined.
  it('must all connect to the coordinator', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, distributed);
    for (const { url } of citus.nodes) {
      const refused = await join(t, scene, { ...distributed, POSTGRES_URL: url }).result;
      assertCode(refused, ExitCode.target);
      assert.match(refused.stdout, /CITUS_NOT_COORDINATOR/);
    }
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, ExitCode.ok);
    await assertCopied(scene);
  });
});
