import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { waitUntil } from '../support/embedded.ts';
import type { RunningCli } from '../support/cli.ts';
import { setFailpoints, type Failpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene, setSceneByProxy } from '../support/fault.ts';
import {
  assertAccount,
  begin,
  beginHeld,
  eventsOf,
  expire,
  hostIdsOf,
  join,
  longLease,
  readHosts,
  shortLease,
  waitForHostId,
} from '../support/hosts.ts';

describe('several hosts', () => {
  it('finish one copy together, each a similar part of it', async (t) => {
    // With a distant PostgreSQL all are equally fast: nearby, chance decides which of them gets more of the processors.
    const { scene } = await setSceneByProxy(t, { count: 12_000, latencyMs: 15 });
    // All begin to read at the same time.
    const held: { readonly run: RunningCli; readonly failpoints: Failpoints }[] = [];
    for (const start of [begin, join, join]) {
      const failpoints = await setFailpoints(t, { 'host-after-take': 'pause@1x*' });
      held.push({ run: start(t, scene, { ...longLease, ...failpoints.env }), failpoints });
      await failpoints.waitUntilFired('host-after-take');
    }
    for (const { failpoints } of held) await failpoints.resume('host-after-take');
    for (const { run } of held) assertCode(await run.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 12_000);
    const hosts = await readHosts(scene);
    assert.deepEqual(
      hosts.map(({ isLead, endReason }) => [isLead, endReason]),
      [
        [true, 'finished'],
        [false, 'finished'],
        [false, 'finished'],
      ],
    );
    for (const { documents } of hosts) {
      assert.ok(Math.abs(documents - 4_000) <= 800, JSON.stringify(hosts));
    }
  });

  it('one that joins late takes part; interrupted, it releases its ranges, and the others finish', async (t) => {
    const scene = await setScene(t, 6_000);
    const { leader, hold } = await beginHeld(t, scene, longLease);
    const late = join(t, scene, longLease);
    const left = await act(late, async (event) => {
      if (event.kind === 'progress') late.process.kill('SIGINT');
      await Promise.resolve();
    });
    assert.equal(left.code, 130, left.stderr);
    const [, host] = await readHosts(scene);
    assert.equal(host?.endReason, 'left');
    const [taken] = await scene.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM mongo2pg.ranges WHERE host_id = 2 AND closed_at IS NULL AND read_at IS NULL',
    );
    assert.equal(taken?.count, 0, 'all its ranges are released');
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 6_000);
  });

  it('are refused with another plan, settings or selection, and the error lists what differs', async (t) => {
    const scene = await setScene(t, 500);
    const failpoints = await setFailpoints(t, { 'primary-after-plan': 'pause' });
    const leader = begin(t, scene, { ...longLease, ...failpoints.env });
    await failpoints.waitUntilFired('primary-after-plan');
    const refused = async (env: Record<string, string>, reported: RegExp): Promise<void> => {
      const result = await join(t, scene, { ...longLease, ...env }).result;
      assert.equal(result.code, 2, result.stderr);
      const error = eventsOf(result.stdout).find(({ kind }) => (kind as string) === 'error');
      assert.match(JSON.stringify(error), reported);
      assert.match(JSON.stringify(error), /HOST_DIFFERS/);
    };
    await Promise.all([
      refused({ PLAN_SCHEMA: 'document' }, /PLAN_SCHEMA is not set there, and document here/),
      refused({ FILTER: '{"even":true}' }, /FILTER is not set there/),
      refused({ MONGO_COLLECTION: 'others' }, /MONGO_COLLECTION is things there, and others here/),
    ]);
    await scene.query(`UPDATE mongo2pg.hosts SET version = '0.0.0'`);
    await refused({}, /the version is 0\.0\.0 there/);
    await failpoints.resume('primary-after-plan');
    assertCode(await leader.result, 0);
    await scene.assertEqual();
  });

  it('without a migration to join, one reports that', async (t) => {
    const scene = await setScene(t, 10);
    const result = await join(t, scene, { ...longLease, RETRY_SECONDS: '1' }).result;
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stdout, /NOTHING_TO_JOIN/);
  });

  it('a plain start finishes what they have not finished, and the other way round', async (t) => {
    const scene = await setScene(t, 3_000);
    const first = await setFailpoints(t, { 'primary-after-ack': 'kill@5' });
    const begun = await begin(t, scene, { ...longLease, ...first.env }).result;
    assert.equal(begun.signal, 'SIGKILL', begun.stderr);
    await expire(scene, hostIdsOf(begun)[0] ?? '');
    const second = await setFailpoints(t, { 'primary-after-ack': 'kill@5' });
    const plain = { CLUSTER_IMPLEMENTATION: 'inline' };
    assert.equal((await scene.start({ ...plain, ...second.env }).result).signal, 'SIGKILL');
    const third = await setFailpoints(t, { 'primary-after-ack': 'kill@5' });
    const again = await begin(t, scene, { ...longLease, ...third.env }).result;
    assert.equal(again.signal, 'SIGKILL', again.stderr);
    await expire(scene, hostIdsOf(again)[0] ?? '');
    assertCode(await scene.run(plain), 0);
    await scene.assertEqual();
    await assertAccount(scene, 3_000);
  });
});

describe('a host that is killed', () => {
  it('at host-after-take: the others copy its ranges', async (t) => {
    const scene = await setScene(t, 4_000);
    const { leader, hold } = await beginHeld(t, scene, shortLease);
    const killing = await setFailpoints(t, { 'host-after-take': 'kill@2' });
    const killed = await join(t, scene, { ...shortLease, ...killing.env }).result;
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    const other = join(t, scene, shortLease);
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, 0);
    assertCode(await other.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 4_000);
    const [, dead] = await readHosts(scene);
    assert.equal(dead?.endReason, 'dead');
  });

  it('while it leads, at primary-before-load-checkpoint: another leads, with the same plan', async (t) => {
    const scene = await setScene(t, 4_000);
    const killing = await setFailpoints(t, { 'primary-before-load-checkpoint': 'kill' });
    const killed = await begin(t, scene, { ...longLease, ...killing.env }).result;
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    const others = [join(t, scene, longLease), join(t, scene, longLease)];
    // One that comes when the other has finished would find nothing to join.
    await waitUntil('both have joined', async () => (await readHosts(scene)).length === 3);
    await expire(scene, hostIdsOf(killed)[0] ?? '');
    for (const other of others) assertCode(await other.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 4_000);
    const hosts = await readHosts(scene);
    assert.deepEqual(
      hosts.filter(({ isLead }) => isLead).map(({ endReason }) => endReason),
      ['dead', 'finished'],
    );
    const runs = await scene.query('SELECT FROM mongo2pg.runs');
    assert.equal(runs.length, 1);
  });
});

describe('a host that hangs until it is declared dead', () => {
  it('with a batch in flight, and resumes while the others have not finished: the batch is refused', async (t) => {
    const scene = await setScene(t, 4_000);
    const { leader, hold } = await beginHeld(t, scene, longLease, {
      'primary-before-load-checkpoint': 'pause',
    });
    const batch = await setFailpoints(t, { 'worker-before-claim': 'pause@2x*' });
    const still = join(t, scene, { ...longLease, ...batch.env });
    await batch.waitUntilFired('worker-before-claim');
    const hostId = await waitForHostId(scene, still);
    still.process.kill('SIGSTOP');
    await expire(scene, hostId);
    await hold.resume('primary-after-ack');
    await hold.waitUntilFired('primary-before-load-checkpoint');
    const count = 'SELECT count(*)::int AS count FROM mongo2pg.batches';
    const before = await scene.query(count);
    await batch.resume('worker-before-claim');
    still.process.kill('SIGCONT');
    await waitUntil('it has joined again', async () => (await readHosts(scene)).length === 3);
    assert.deepEqual(await scene.query(count), before);
    await hold.resume('primary-before-load-checkpoint');
    assertCode(await leader.result, 0);
    assertCode(await still.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 4_000);
  });

  // Red where its sessions are ended only after its row is locked: its own transaction holds a lock on that row.
  it('in the transaction that takes a range: the others finish, and it finishes too once it resumes', async (t) => {
    const scene = await setScene(t, 4_000);
    const { leader, hold } = await beginHeld(t, scene, longLease);
    const taking = await setFailpoints(t, { 'host-before-take-commit': 'pause@2' });
    const still = join(t, scene, { ...longLease, ...taking.env });
    await taking.waitUntilFired('host-before-take-commit');
    const hostId = await waitForHostId(scene, still);
    still.process.kill('SIGSTOP');
    await expire(scene, hostId);
    await hold.resume('primary-after-ack');
    assertCode(await leader.result, 0);
    await taking.resume('host-before-take-commit');
    still.process.kill('SIGCONT');
    assertCode(await still.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 4_000);
  });

  // Red where PostgreSQL does not end the session of a host that hangs in a transaction.
  it('in the transaction in which it joins: others can join', async (t) => {
    const scene = await setScene(t, 4_000);
    const { leader, hold } = await beginHeld(t, scene, shortLease);
    const joining = await setFailpoints(t, { 'host-before-join-commit': 'pause' });
    const still = join(t, scene, { ...shortLease, ...joining.env });
    await joining.waitUntilFired('host-before-join-commit');
    still.process.kill('SIGSTOP');
    const other = join(t, scene, shortLease);
    await waitUntil('the other has joined', async () => (await readHosts(scene)).length === 2);
    await hold.resume('primary-after-ack');
    for (const run of [leader, other]) assertCode(await run.result, 0);
    await joining.resume('host-before-join-commit');
    still.process.kill('SIGCONT');
    assertCode(await still.result, 0);
    await scene.assertEqual();
    await assertAccount(scene, 4_000);
  });
});
