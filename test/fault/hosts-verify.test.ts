/** Hosts that verify together right after they have copied together: the leader reports what one host would, even if others fail. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { waitUntil } from '../support/embedded.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { holdHost, takeOverFrom, wake, type HeldHost } from '../support/held-host.ts';
import {
  assertAccount,
  begin,
  declareDead,
  expire,
  hostIdsOf,
  join,
  longLease,
  startMongoProxy,
  startProxyTo,
  waitForEnd,
  waitForHostId,
} from '../support/hosts.ts';
import {
  assertAsAlone,
  assertEachOnce,
  atFirstPage,
  countHeldBy,
  readRanges,
  spoilRangesOf,
  verifiedOf,
} from '../support/host-verification.ts';

const verifying = { ...longLease, VERIFY: 'true' };

const oneRange = { ...verifying, READ_RANGES: '1' };

async function holdLeader(t: TestContext, scene: Scene): Promise<HeldHost> {
  return await holdHost(t, scene, begin, atFirstPage, oneRange);
}

describe('several hosts that verify', () => {
  // Red where the leader counts only what it has compared itself.
  it('compare a part each: the leader reports the differences as one host does, and ends with 6', async (t) => {
    const scene = await setScene(t, 3_000);
    await scene.collection.insertOne({ _id: 3_000 as never, text: 'a\u0000b' });
    const rules = { 'primary-after-finish': 'pause', ...atFirstPage } as const;
    const leader = await holdHost(t, scene, begin, rules, oneRange);
    await scene.query('DELETE FROM things WHERE _id = 100');
    await scene.query(`UPDATE things SET text = 'other' WHERE _id IN (2000, 2500)`);
    await scene.query(`INSERT INTO things (_id, text) VALUES (9000, 'nobody''s')`);
    await leader.resume();
    await leader.failpoints.waitUntilFired('host-after-compared-page');
    const others = [
      await holdHost(t, scene, join, atFirstPage, verifying),
      await holdHost(t, scene, join, atFirstPage, verifying),
    ];
    for (const { failpoints } of [leader, ...others]) await failpoints.resume('host-after-compared-page');

    const led = await leader.run.result;
    assertCode(led, 6);
    for (const { run } of others) {
      const result = await run.result;
      assertCode(result, 0);
      assert.deepEqual(verifiedOf(result), []);
    }
    await assertEachOnce(scene, 3_001);
    const hosts = new Set((await readRanges(scene)).map(({ hostId }) => hostId));
    assert.deepEqual([...hosts].sort(), ['1', '2', '3']);
    await assertAsAlone(scene, led);
    const { missing, different, extra, read } = verifiedOf(led)[0] ?? {};
    assert.deepEqual(
      { missing, different, extra, read },
      { missing: 1, different: 2, extra: 1, read: 3_001 },
    );
  });

  it('with a sample, count all documents and compare some', async (t) => {
    const scene = await setScene(t, 3_000);
    const { run, resume } = await holdLeader(t, { ...scene, env: { ...scene.env, VERIFY_SAMPLE: '10%' } });
    const other = join(t, scene, { ...verifying, VERIFY_SAMPLE: '10%' });
    await waitForHostId(scene, other);
    await resume();
    const led = await run.result;
    assertCode(led, 0);
    assertCode(await other.result, 0);
    const [verified] = verifiedOf(led);
    assert.equal(verified?.read, 3_000);
    assert.ok(verified.compared > 0 && verified.compared < 3_000, String(verified.compared));
  });

  it('must all have the setting', async (t) => {
    const scene = await setScene(t, 500);
    const { run, resume } = await holdLeader(t, scene);
    const refused = await join(t, scene, longLease).result;
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stdout, /VERIFY is true there, and not set here/);
    await resume();
    assertCode(await run.result, 0);
  });
});

/** Places at which a host is suspended, or killed, with ranges of a verification. */
const windows: readonly FailpointName[] = [
  'host-before-take-commit',
  'host-after-take',
  'worker-transcode',
  'host-after-compared-page',
  'host-before-range-end',
];

describe('a host that is killed while it verifies', () => {
  // Red where the ranges of a dead host are not released: the leader waits forever.
  it('in each window: the others compare what it had, once', async (t) => {
    const scene = await setScene(t, 4_000);
    const { run, resume } = await holdLeader(t, scene);
    for (const window of windows) {
      const killing = await setFailpoints(t, { [window]: 'kill@2' });
      const killed = await join(t, scene, { ...verifying, ...killing.env }).result;
      assert.equal(killed.signal, 'SIGKILL', `${window}: ${killed.stderr}`);
      const [hostId = ''] = hostIdsOf(killed);
      assert.ok((await countHeldBy(scene, hostId)) > 0, window);
      await declareDead(scene, hostId);
      assert.equal(await countHeldBy(scene, hostId), 0, window);
    }
    await resume();
    const led = await run.result;
    assertCode(led, 0);
    const [verified] = verifiedOf(led);
    const { compared, equal } = verified ?? {};
    assert.deepEqual({ compared, equal }, { compared: 4_000, equal: 4_000 });
    await assertEachOnce(scene, 4_000);
  });

  // Red where the job is finished before the verification: with --if-exists drop, the next leader copies again.
  for (const window of [
    'host-after-compared-page',
    'primary-before-tally',
    'primary-before-second-look',
  ] as const) {
    it(`while it leads, at ${window}: another leads, keeps what was compared, and reports`, async (t) => {
      const scene = await setScene(t, 2_000);
      const env = { ...verifying, IF_EXISTS: 'drop' };
      // By the 20th page, ranges have been read to their ends.
      const isAmidst = window === 'host-after-compared-page';
      const killing = await setFailpoints(t, { [window]: isAmidst ? 'pause@20x*' : 'kill' });
      const leader = begin(t, scene, { ...env, ...killing.env });
      if (isAmidst) {
        await killing.waitUntilFired(window);
        const hasCompared = async (): Promise<boolean> =>
          (await readRanges(scene)).some(({ isCompared }) => isCompared);
        await waitUntil('a range is compared', hasCompared);
        leader.process.kill('SIGKILL');
      }
      const killed = await leader.result;
      assert.equal(killed.signal, 'SIGKILL', killed.stderr);
      const [hostId = ''] = hostIdsOf(killed);
      const before = await readRanges(scene);
      const kept = before.filter(({ isCompared }) => isCompared);
      assert.ok(kept.length > 0);
      const next = join(t, scene, env);
      await waitForHostId(scene, next);
      await expire(scene, hostId);
      const led = await next.result;
      assertCode(led, 0);
      const [verified] = verifiedOf(led);
      assert.equal(verified?.equal, 2_000);
      await assertEachOnce(scene, 2_000);
      const now = new Set((await readRanges(scene)).map(({ xmin }) => xmin));
      assert.ok(kept.every(({ xmin }) => now.has(xmin)));
      await assertAccount(scene, 2_000);
      assert.equal((await scene.query('SELECT FROM mongo2pg.runs')).length, 1);
      assert.equal((await scene.query('SELECT FROM mongo2pg.jobs WHERE finished_at IS NULL')).length, 0);
    });
  }

  it('while it leads, with the second of two collections: the next leader reports both', async (t) => {
    const scene = await setScene(t, 1_000);
    await scene.otherCollection('others').insertMany([{ text: 'one' }, { text: 'two' }]);
    const env = { ...verifying, MONGO_COLLECTION: '*' };
    const killing = await setFailpoints(t, { 'primary-before-second-look': 'kill@2' });
    const killed = await begin(t, scene, { ...env, ...killing.env }).result;
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    assert.equal(verifiedOf(killed).length, 1);
    const [hostId = ''] = hostIdsOf(killed);
    const next = join(t, scene, env);
    await waitForHostId(scene, next);
    await expire(scene, hostId);
    const led = await next.result;
    assertCode(led, 0);
    const counts = verifiedOf(led).map(({ equal }) => equal);
    assert.deepEqual(
      counts.sort((a, b) => a - b),
      [2, 1_000],
    );
  });
});

describe('a leader that is interrupted while it verifies, with no other host', () => {
  // Red where an unfinished verification of an earlier start is continued: the change in between is missed.
  it('leaves, and the next start compares all of it again', async (t) => {
    const scene = await setScene(t, 2_000);
    const leader = await holdHost(t, scene, begin, { 'host-after-compared-page': 'pause@25' }, oneRange);
    leader.run.process.kill('SIGINT');
    await leader.resume();
    assert.equal((await leader.run.result).code, 130);
    const compared = (await readRanges(scene)).filter(({ isCompared }) => isCompared);
    assert.ok(compared.length > 0);
    await scene.query(`UPDATE things SET text = 'other'`);
    const again = await begin(t, scene, verifying).result;
    assertCode(again, 6);
    assert.equal(verifiedOf(again)[0]?.different, 2_000);
  });
});

describe('a host that is suspended past its lease while it verifies', () => {
  // Red where the epoch of a range is not checked: the old result hides a difference that the new one has.
  it('with a range compared and not recorded: its result is refused when it resumes, and it joins again', async (t) => {
    const scene = await setScene(t, 2_000);
    const rules = { ...atFirstPage, 'primary-before-tally': 'pause' } as const;
    const leader = await holdHost(t, scene, begin, rules, oneRange);
    const stopped = await holdHost(t, scene, join, { 'host-before-range-end': 'pause' }, oneRange);
    stopped.run.process.kill('SIGSTOP');
    await spoilRangesOf(scene, stopped.hostId);
    await declareDead(scene, stopped.hostId);
    await leader.resume();
    await leader.failpoints.waitUntilFired('primary-before-tally');
    const before = await readRanges(scene);

    await wake(scene, stopped);
    assert.deepEqual(await readRanges(scene), before);
    await leader.failpoints.resume('primary-before-tally');
    const result = await leader.run.result;
    assertCode(result, 6);
    const woken = await stopped.run.result;
    assertCode(woken, 0);
    assert.equal(hostIdsOf(woken).length, 2);
    const [verified] = verifiedOf(result);
    assert.ok(verified !== undefined && verified.different > 0);
    assert.equal(verified.compared, 2_000);
    await assertEachOnce(scene, 2_000);
  });

  // Red where a leader that was declared dead closes the verification, or reports.
  it('while it leads: another leads and reports; when it resumes it changes nothing, and joins again', async (t) => {
    const scene = await setScene(t, 2_000);
    const beforeTally = { 'primary-before-tally': 'pause' } as const;
    const first = await holdHost(t, scene, begin, beforeTally, verifying);
    const second = await takeOverFrom(t, scene, first, beforeTally, verifying);
    const readAll = async (): Promise<unknown[]> => [
      ...(await readRanges(scene)),
      ...(await scene.query('SELECT *, xmin::text FROM mongo2pg.host_verifications')),
      ...(await scene.query('SELECT *, xmin::text FROM mongo2pg.jobs')),
    ];
    const before = await readAll();
    await wake(scene, first);
    assert.deepEqual(await readAll(), before);
    await second.resume();
    const led = await second.run.result;
    assertCode(led, 0);
    assert.equal(verifiedOf(led).length, 1);
    assertCode(await first.run.result, 0);
  });
});

describe('a host that loses a server while it verifies', () => {
  it('PostgreSQL, past its lease: the others compare what it had; when it reconnects it joins again', async (t) => {
    const scene = await setScene(t, 2_000);
    const { run, resume } = await holdLeader(t, scene);
    const { proxy, url } = await startProxyTo(t, scene.env.POSTGRES_URL ?? '');
    const env = { ...oneRange, POSTGRES_URL: url };
    const away = await holdHost(t, scene, join, { 'host-before-range-end': 'pause' }, env);
    proxy.refuse();
    proxy.cut();
    await declareDead(scene, away.hostId);
    assert.equal(await countHeldBy(scene, away.hostId), 0);
    await away.resume();
    await proxy.restore();
    await waitForHostId(scene, away.run);
    await resume();
    const led = await run.result;
    assertCode(led, 0);
    assertCode(await away.run.result, 0);
    assert.equal(verifiedOf(led)[0]?.equal, 2_000);
    await assertEachOnce(scene, 2_000);
  });

  // Red where a host that leaves releases nothing: the leader waits forever.
  it('MongoDB, for longer than RETRY_SECONDS: it releases its ranges, and ends with 3', async (t) => {
    const scene = await setScene(t, 2_000);
    const { run, resume } = await holdLeader(t, scene);
    const { proxy, mongoUrl } = await startMongoProxy(t, scene);
    const env = { ...verifying, MONGO_URL: mongoUrl, RETRY_SECONDS: '1' };
    const away = await holdHost(t, scene, join, atFirstPage, env);
    assert.ok((await countHeldBy(scene, away.hostId)) > 0);
    proxy.refuse();
    proxy.cut();
    await away.resume();
    assertCode(await away.run.result, 3);
    await waitForEnd(scene, away.hostId, 'left');
    assert.equal(await countHeldBy(scene, away.hostId), 0);
    await resume();
    const led = await run.result;
    assertCode(led, 0);
    assert.equal(verifiedOf(led)[0]?.equal, 2_000);
    await assertEachOnce(scene, 2_000);
  });

  // Red where such a leader fails the verification for all.
  it('MongoDB, while it leads: another leads, and reports', async (t) => {
    const scene = await setScene(t, 2_000);
    const { proxy, mongoUrl } = await startMongoProxy(t, scene);
    const near = { ...scene, env: { ...scene.env, MONGO_URL: mongoUrl, RETRY_SECONDS: '1' } };
    const { run, resume } = await holdLeader(t, near);
    const other = await holdHost(t, scene, join, { 'host-after-take': 'pause@1x*' }, verifying);
    proxy.refuse();
    proxy.cut();
    await resume();
    assertCode(await run.result, 3);
    await other.resume();
    const led = await other.run.result;
    assertCode(led, 0);
    assert.equal(verifiedOf(led)[0]?.equal, 2_000);
    await assertEachOnce(scene, 2_000);
  });
});
