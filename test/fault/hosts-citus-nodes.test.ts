/** Several hosts that load distributed tables of Citus through worker nodes, each through its own. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { assertCopied, distributed, queryOnce, setHostsScene } from '../support/citus-hosts.ts';
import { describeCitus, lacksCitus, startCitus, type CitusCluster } from '../support/citus.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode } from '../support/fault.ts';
import {
  beginHeld,
  declareDead,
  expire,
  hostIdsOf,
  join,
  readCommitted,
  readHosts,
  startHost,
  waitForEnd,
  waitForHostId,
} from '../support/hosts.ts';

const windows: readonly FailpointName[] = [
  'host-after-take',
  'worker-before-claim',
  'worker-in-copy',
  'worker-before-commit',
  'worker-before-ack',
];

/** PostgreSQL's maximum: a commit then pauses between its steps for long enough to be observed. */
const commitDelay = 100_000;

/** The node itself would end a transaction that waits for its worker for so long. */
const notByNode = { ANSWER_TIMEOUT_SECONDS: '3600' };

describe(`hosts at nodes (${describeCitus() ?? 'no Citus here'})`, { skip: lacksCitus() }, () => {
  let citus: CitusCluster;
  before(async () => {
    // PostgreSQL delays only commits that wait for a disk.
    citus = await startCitus({ fsync: true });
  });
  after(async () => {
    await citus.remove();
  });

  const urlOf = (place: number): string => citus.nodes[place]?.url ?? '';
  const through = (place: number): typeof distributed & { CITUS_NODE_URL: string } => ({
    ...distributed,
    CITUS_NODE_URL: urlOf(place),
  });

  const countSessions = async (url: string, hostId: string): Promise<number> => {
    const [row] = await queryOnce<{ count: number }>(
      url,
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'mongo2pg worker of host ' || $1`,
      [hostId],
    );
    return row?.count ?? 0;
  };

  it('two through two different nodes finish one job, and verify it', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, { ...through(0), VERIFY: 'true' });
    const leaderId = await waitForHostId(scene, leader);
    const holding = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
    const other = join(t, scene, { ...through(1), VERIFY: 'true', ...holding.env });
    const otherId = await waitForHostId(scene, other);
    await holding.waitUntilFired('worker-before-commit');
    assert.ok((await countSessions(urlOf(0), leaderId)) > 0);
    assert.ok((await countSessions(urlOf(1), otherId)) > 0);
    assert.equal(await countSessions(citus.url, otherId), 0);
    await holding.resume('worker-before-commit');
    await hold.resume('primary-after-ack');
    for (const { result } of [leader, other]) assertCode(await result, ExitCode.ok);
    assert.ok((await readHosts(scene)).every(({ documents }) => documents > 0));
    await assertCopied(scene);
  });

  it('one through a node and one through the coordinator', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, distributed);
    const other = join(t, scene, through(1));
    await waitForHostId(scene, other);
    await hold.resume('primary-after-ack');
    for (const { result } of [leader, other]) assertCode(await result, ExitCode.ok);
    await assertCopied(scene);
  });

  it('killed in a batch, one after the other: the others finish what each had, and copy nothing twice', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, through(0));
    for (const [place, window] of windows.entries()) {
      const killing = await setFailpoints(t, { [window]: 'kill@2' });
      const killed = await join(t, scene, { ...through(place % 2), ...killing.env }).result;
      assert.equal(killed.signal, 'SIGKILL', `${window}: ${killed.stderr}`);
      const [hostId = ''] = hostIdsOf(killed);
      await declareDead(scene, hostId);
    }
    const other = join(t, scene, through(1));
    await waitForHostId(scene, other);
    await hold.resume('primary-after-ack');
    for (const { result } of [leader, other]) assertCode(await result, ExitCode.ok);
    await assertCopied(scene);
  });

  // Red where only sessions on the coordinator are ended, here and where locks are waited for: the host is never declared dead.
  it('suspended with a batch in flight: its sessions on the node are ended, and when it resumes it commits nothing', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, distributed, {
      'primary-before-load-checkpoint': 'pause',
    });
    const batch = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
    const stopped = join(t, scene, { ...through(0), ...notByNode, ...batch.env });
    await batch.waitUntilFired('worker-before-commit');
    const hostId = await waitForHostId(scene, stopped);
    stopped.process.kill('SIGSTOP');
    assert.ok((await countSessions(urlOf(0), hostId)) > 0);
    await declareDead(scene, hostId);
    assert.equal(await countSessions(urlOf(0), hostId), 0);
    await hold.resume('primary-after-ack');
    await hold.waitUntilFired('primary-before-load-checkpoint');
    const committed = await readCommitted(scene);
    const [rows] = await scene.query('SELECT count(*) FROM things');

    await batch.resume('worker-before-commit');
    stopped.process.kill('SIGCONT');
    await waitForHostId(scene, stopped);
    assert.deepEqual(await readCommitted(scene), committed);
    assert.deepEqual((await scene.query('SELECT count(*) FROM things'))[0], rows);
    await hold.resume('primary-before-load-checkpoint');
    assertCode(await leader.result, ExitCode.ok);
    const run = await stopped.result;
    assertCode(run, ExitCode.ok);
    assert.equal(hostIdsOf(run).length, 2);
    await assertCopied(scene);
  });

  // Red where the session for it on the coordinator is not ended: the host is never declared dead.
  it('suspended, with a node that the coordinator cannot reach: its session on the coordinator is ended, and what it had is released', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, distributed);
    const batch = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
    const stopped = join(t, scene, { ...through(0), ...notByNode, ...batch.env });
    await batch.waitUntilFired('worker-before-commit');
    const hostId = await waitForHostId(scene, stopped);
    stopped.process.kill('SIGSTOP');
    const port = citus.nodes[0]?.port ?? 0;
    await scene.query('UPDATE pg_dist_node SET nodeport = 1 WHERE nodeport = $1', [port]);
    try {
      await declareDead(scene, hostId);
      assert.ok((await countSessions(urlOf(0), hostId)) > 0, 'nobody could end them');
    } finally {
      await scene.query('UPDATE pg_dist_node SET nodeport = $1 WHERE nodeport = 1', [port]);
    }
    stopped.process.kill('SIGKILL');
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, ExitCode.ok);
    await assertCopied(scene);
  });

  it('a batch that a node has not decided, and a node that is away: a start that would take it over reports the node', async (t) => {
    const scene = await setHostsScene(t, citus);
    const batch = await setFailpoints(t, { 'worker-before-claim': 'kill@3' });
    const killed = await scene.run({ ...through(0), ...batch.env, CLUSTER_IMPLEMENTATION: 'inline' });
    assert.equal(killed.signal, 'SIGKILL');
    // As the node leaves it on the coordinator, if it crashes now. Without its record the node undoes it.
    await scene.query(
      `BEGIN; SELECT FROM mongo2pg.ranges FOR KEY SHARE; PREPARE TRANSACTION 'citus_1_4242_78_0'`,
    );
    const [node] = citus.nodes;
    await node?.crash();
    const refused = await scene.run(distributed);
    assertCode(refused, ExitCode.target);
    assert.match(refused.stdout, /CITUS_NODE_AWAY/);
    await node?.start();
    assertCode(await scene.run(through(0)), ExitCode.ok);
    await assertCopied(scene);
  });

  // Red where the session for it on the coordinator is not ended: LEDGER_LOCKED.
  it('a process without --hosts that is suspended: another start ends its batch on the node, and takes it over', async (t) => {
    const scene = await setHostsScene(t, citus);
    const batch = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
    const stopped = startHost(t, scene, { ...through(0), ...notByNode, ...batch.env }, []);
    await batch.waitUntilFired('worker-before-commit');
    stopped.process.kill('SIGSTOP');
    await scene.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mongo2pg primary'`,
    );
    const second = await scene.run(through(1));
    assertCode(second, ExitCode.ok);
    const [left] = await queryOnce<{ count: number }>(
      urlOf(0),
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'mongo2pg worker' AND state <> 'idle'`,
    );
    assert.equal(left?.count, 0);
    await batch.resume('worker-before-commit');
    stopped.process.kill('SIGCONT');
    assertCode(await stopped.result, ExitCode.target);
    await assertCopied(scene);
  });

  // Red where what a host had is released while a batch of it is undecided.
  it('killed in COMMIT, with its node: what it had is released once the node is back, and has decided', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, distributed);
    const batch = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
    const killed = join(t, scene, { ...through(0), CLUSTER_SIZE: '1', ...batch.env });
    await batch.waitUntilFired('worker-before-commit');
    const hostId = await waitForHostId(scene, killed);
    const node = citus.nodes[0];
    assert.ok(node !== undefined);
    await queryOnce(node.url, `ALTER SYSTEM SET commit_delay = ${commitDelay}`);
    await queryOnce(node.url, 'ALTER SYSTEM SET commit_siblings = 0');
    await queryOnce(node.url, 'SELECT pg_reload_conf()');
    const isPrepared = async (): Promise<boolean> =>
      (await scene.query(`SELECT FROM pg_prepared_xacts WHERE gid LIKE 'citus_1_%'`)).length > 0;
    const seen = waitUntil('the coordinator has prepared its part', isPrepared);
    await batch.resume('worker-before-commit');
    await seen;
    await node.crash();
    killed.process.kill('SIGKILL');
    await killed.result;
    assert.ok(await isPrepared(), 'the node was crashed before it has decided, or has told');

    await expire(scene, hostId);
    await waitUntil('a host waits for the lock of the batch', async () => {
      const waiting = await scene.query(
        `SELECT FROM pg_stat_activity WHERE application_name LIKE 'mongo2pg host%' AND wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    const ended = (await readHosts(scene)).find((host) => host.hostId === hostId);
    assert.equal(ended?.endReason, null);
    await node.start();
    await waitForEnd(scene, hostId, 'dead');
    assert.ok(!(await isPrepared()));
    await hold.resume('primary-after-ack');
    const other = join(t, scene, through(0));
    assertCode(await leader.result, ExitCode.ok);
    await other.result;
    await queryOnce(node.url, 'ALTER SYSTEM RESET commit_delay');
    await queryOnce(node.url, 'SELECT pg_reload_conf()');
    await assertCopied(scene);
  });

  it('reconnect after a crash of the coordinator and of a node that they load through, and verify together', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, { ...through(0), VERIFY: 'true' });
    const holding = await setFailpoints(t, { 'worker-before-commit': 'pause@3x*' });
    const other = join(t, scene, { ...through(1), VERIFY: 'true', ...holding.env });
    await holding.waitUntilFired('worker-before-commit');
    const servers = [citus.coordinator, ...citus.nodes.slice(0, 1)];
    for (const server of servers) await server.crash();
    await holding.resume('worker-before-commit');
    await hold.resume('primary-after-ack');
    for (const server of servers) await server.start();
    for (const { result } of [leader, other]) assertCode(await result, ExitCode.ok);
    await assertCopied(scene);
  });

  it('a node of another cluster is refused before the host has joined', async (t) => {
    const scene = await setHostsScene(t, citus);
    const { leader, hold } = await beginHeld(t, scene, distributed);
    const refused = await join(t, scene, { ...distributed, CITUS_NODE_URL: citus.url }).result;
    assertCode(refused, ExitCode.target);
    assert.match(refused.stdout, /CITUS_NODE_UNKNOWN/);
    assert.equal((await readHosts(scene)).length, 1);
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, ExitCode.ok);
    await assertCopied(scene);
  });
});
