/** Hosts that verify a finished copy together, with `verify --hosts` and `join`: the leader reports what one host would. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { CliResult } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { holdHost, type HeldHost } from '../support/held-host.ts';
import {
  begin,
  beginHeld,
  beginVerifying,
  declareDead,
  eventsOf,
  expire,
  shortLease,
  join,
  longLease,
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

async function setCopied(t: TestContext, count: number): Promise<Scene> {
  const scene = await setScene(t, count);
  assertCode(await scene.run({ CLUSTER_IMPLEMENTATION: 'inline' }), 0);
  return scene;
}

/** With a range that the others cannot take, of which it has compared one page of many. */
async function hold(
  t: TestContext,
  scene: Scene,
  start: typeof join,
  env: Readonly<Record<string, string>> = {},
): Promise<HeldHost> {
  const small = { READ_RANGES: '1', ITEMS_PER_PAGE: '5' };
  return await holdHost(t, scene, start, atFirstPage, { ...longLease, ...small, ...env });
}

/** @param name the code of the error */
function assertRefused({ code, stdout, stderr }: CliResult, name: string, reported = /./): void {
  assert.equal(code, 2, stderr);
  const errors = eventsOf(stdout) as unknown as { kind: string; code?: string; message?: string }[];
  const error = errors.find(({ kind }) => kind === 'error');
  assert.equal(error?.code, name, error?.message);
  assert.match(error.message ?? '', reported);
}

describe('several hosts that verify a finished copy', () => {
  it('share the ranges, and the leader ends with 0 where all is equal', async (t) => {
    const scene = await setCopied(t, 3_000);
    const held = [await hold(t, scene, beginVerifying), await hold(t, scene, join)];
    for (const host of held) await host.resume();
    const results = [];
    for (const { run } of held) results.push(await run.result);
    for (const result of results) assertCode(result, 0);
    const [led, other] = results;
    assert.ok(led !== undefined && other !== undefined);
    assert.deepEqual(verifiedOf(other), []);
    assert.match(other.stdout, /"kind":"host-compared"/);
    assert.match(other.stdout, /the verification is finished/);
    await assertEachOnce(scene, 3_000);
    const hosts = new Set((await readRanges(scene)).map(({ hostId }) => hostId));
    assert.deepEqual([...hosts].sort(), ['1', '2']);
    await assertAsAlone(scene, led);
    const runs = await scene.query('SELECT FROM mongo2pg.runs');
    assert.equal(runs.length, 1, 'nothing is copied');
  });

  // Red where the leader counts only what it has compared itself.
  it('report what either has found, and the leader ends with 6', async (t) => {
    const scene = await setCopied(t, 3_000);
    await scene.query(`INSERT INTO things (_id, text) VALUES (9000, 'nobody''s')`);
    const held = [await hold(t, scene, beginVerifying), await hold(t, scene, join)];
    let different = 0;
    for (const { hostId } of held) different += await spoilRangesOf(scene, hostId);
    for (const host of held) await host.resume();
    const [leader, other] = held;
    const led = await leader?.run.result;
    assert.ok(led !== undefined);
    assertCode(led, 6);
    assert.equal((await other?.run.result)?.code, 0);
    const [verified] = verifiedOf(led);
    assert.ok(different >= 2);
    assert.equal(verified?.different, different);
    assert.equal(verified.differences.length, different + 1);
    await assertAsAlone(scene, led);
  });

  it('with nobody else: one verifies all of it', async (t) => {
    const scene = await setCopied(t, 1_000);
    const led = await beginVerifying(t, scene, longLease).result;
    assertCode(led, 0);
    await assertAsAlone(scene, led);
  });

  // Red where hosts that verify also look for something to copy.
  it('of several collections: one that is not finished fails, and no host copies it', async (t) => {
    const scene = await setScene(t, 1_000);
    const documents = Array.from({ length: 2_000 }, (_, index) => ({ _id: index as never, text: 'z' }));
    await scene.otherCollection('zebras').insertMany(documents);
    assertCode(await scene.run({ CLUSTER_IMPLEMENTATION: 'inline' }), 0);
    const zebras = { MONGO_COLLECTION: 'zebras,things' };
    const killing = await setFailpoints(t, { 'primary-after-ack': 'kill@3' });
    const killed = await begin(t, scene, { ...shortLease, ...zebras, ...killing.env }).result;
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    const count = 'SELECT count(*)::int AS count FROM mongo2pg.batches';
    const before = await scene.query(count);
    await expire(scene, '1');
    const leader = await hold(t, scene, beginVerifying, zebras);
    const other = await hold(t, scene, join, zebras);
    for (const host of [leader, other]) await host.resume();
    const led = await leader.run.result;
    assertRefused(led, 'RUN_UNFINISHED');
    assert.equal(verifiedOf(led)[0]?.equal, 1_000);
    assertRefused(
      await other.run.result,
      'RUN_UNFINISHED',
      /^the leader \S+ has failed: \S+\.zebras: run \d+/,
    );
    assert.deepEqual(await scene.query(count), before);
    // It says nothing of the copy: what is left of that can still be joined.
    const copied = await join(t, scene, { ...shortLease, ...zebras }).result;
    assertCode(copied, 0);
    assert.deepEqual(await scene.query('SELECT count(*)::int AS rows FROM zebras'), [{ rows: 2_000 }]);
  });
});

describe('a host that is killed while it verifies a finished copy', () => {
  // Red where the ranges of a dead host are not released: the leader waits for ever.
  it('the others compare what it had, and the result is the same', async (t) => {
    const scene = await setCopied(t, 3_000);
    const leader = await hold(t, scene, beginVerifying);
    const other = await hold(t, scene, join);
    assert.ok((await countHeldBy(scene, other.hostId)) > 0);
    const different = await spoilRangesOf(scene, other.hostId);
    other.run.process.kill('SIGKILL');
    assert.equal((await other.run.result).signal, 'SIGKILL');
    await declareDead(scene, other.hostId);
    assert.equal(await countHeldBy(scene, other.hostId), 0);
    await leader.resume();
    const led = await leader.run.result;
    assertCode(led, 6);
    assert.equal(verifiedOf(led)[0]?.different, different);
    await assertEachOnce(scene, 3_000);
    await assertAsAlone(scene, led);
  });

  // Red where a host that takes over the leader of a verification copies.
  it('while it leads: another leads, keeps what was compared, and reports', async (t) => {
    const scene = await setCopied(t, 3_000);
    const leader = await holdHost(t, scene, beginVerifying, { 'primary-before-tally': 'pause' }, longLease);
    const next = join(t, scene, longLease);
    await waitForHostId(scene, next);
    leader.run.process.kill('SIGKILL');
    assert.equal((await leader.run.result).signal, 'SIGKILL');
    const before = await readRanges(scene);
    await expire(scene, leader.hostId);
    const led = await next.result;
    assertCode(led, 0);
    assert.deepEqual(await readRanges(scene), before);
    await assertAsAlone(scene, led);
  });

  // Red where a host keeps what was compared before it came: the change in between is not seen.
  it('with no other: a host that joins later compares all of it again', async (t) => {
    const scene = await setCopied(t, 2_000);
    const killing = await setFailpoints(t, { 'primary-before-tally': 'kill' });
    const killed = await beginVerifying(t, scene, { ...longLease, ...killing.env }).result;
    assert.equal(killed.signal, 'SIGKILL', killed.stderr);
    await scene.query(
      `UPDATE mongo2pg.hosts SET left_at = clock_timestamp(), end_reason = 'dead' WHERE host_id = 1`,
    );
    await scene.query(`UPDATE things SET text = 'other'`);
    const led = await join(t, scene, longLease).result;
    assertCode(led, 6);
    assert.equal(verifiedOf(led)[0]?.different, 2_000);
  });
});

describe('hosts that cannot verify together', () => {
  it('without a copy: what one host is reported', async (t) => {
    const scene = await setScene(t, 10);
    assertRefused(await beginVerifying(t, scene, longLease).result, 'LEDGER_MISSING');
    const [ledger] = await scene.query(`SELECT to_regnamespace('mongo2pg') AS schema`);
    assert.deepEqual(ledger, { schema: null }, 'no ledger is made for a verification');
    assertCode(await scene.run({ CLUSTER_IMPLEMENTATION: 'inline' }), 0);
    const others = { ...longLease, MONGO_COLLECTION: 'others' };
    assertRefused(await beginVerifying(t, scene, others).result, 'RUN_UNKNOWN');
  });

  it('with nothing to join: one reports that', async (t) => {
    const scene = await setCopied(t, 10);
    const env = { ...longLease, RETRY_SECONDS: '1' };
    assertRefused(await join(t, scene, env).result, 'NOTHING_TO_JOIN', /^no host copies or verifies /);
    assertCode(await beginVerifying(t, scene, longLease).result, 0);
    // One that is over is nothing to join either.
    assertRefused(await join(t, scene, env).result, 'NOTHING_TO_JOIN');
  });

  it('from a dump, or with embedded servers', async (t) => {
    const scene = await setScene(t, 1);
    const dump = { ...scene, env: { ...scene.env, MONGO_URL: '', SOURCE: '/nowhere' } };
    assertRefused(await beginVerifying(t, dump, longLease).result, 'HOSTS_DUMP');
    const embedded = { ...longLease, MONGO_URL: 'embedded', POSTGRES_URL: 'embedded' };
    assertRefused(await beginVerifying(t, scene, embedded).result, 'HOSTS_EMBEDDED');
  });

  it('with another share of the documents, and while others copy: they are reported what differs', async (t) => {
    const scene = await setCopied(t, 1_000);
    const leader = await hold(t, scene, beginVerifying, { VERIFY_SAMPLE: '50%' });
    const refused = await join(t, scene, longLease).result;
    assertRefused(refused, 'HOST_DIFFERS', /VERIFY_SAMPLE is 0\.5 there, and 1 here$/);
    // What only a copy needs may differ.
    const other = join(t, scene, { ...longLease, VERIFY_SAMPLE: '50%', PARTITIONS: '4', IF_EXISTS: 'drop' });
    await waitForHostId(scene, other);
    const started = await begin(t, scene, { ...longLease, RESTART: 'true', IF_EXISTS: 'drop' }).result;
    assertRefused(started, 'HOSTS_BUSY', /^the host \S+ verifies \S+\.things$/);
    await leader.resume();
    assertCode(await leader.run.result, 0);
    assertCode(await other.result, 0);
  });

  it('what others copy: hosts, or one host', async (t) => {
    const scene = await setScene(t, 1_000);
    const { leader, hold: copying } = await beginHeld(t, scene, longLease);
    const refused = await beginVerifying(t, scene, longLease).result;
    assertRefused(refused, 'HOSTS_BUSY', /^the host \S+ copies \S+\.things$/);
    await copying.resume('primary-after-ack');
    assertCode(await leader.result, 0);

    const alone = await setFailpoints(t, { 'primary-after-ack': 'pause@3' });
    const again = scene.start({ CLUSTER_IMPLEMENTATION: 'inline', RESTART: 'true', ...alone.env });
    await alone.waitUntilFired('primary-after-ack');
    assertRefused(await beginVerifying(t, scene, longLease).result, 'RUN_UNFINISHED', /^run 2 /);
    await alone.resume('primary-after-ack');
    assertCode(await again.result, 0);
  });

  // Red where it takes part in a task that it does not have, and so forgets that it is to start from scratch.
  it('a start after the leader of a verification is gone fails that over, and then copies from scratch', async (t) => {
    const scene = await setScene(t, 1_000);
    const killing = await setFailpoints(t, { 'primary-after-ack': 'kill@3' });
    const inline = { CLUSTER_IMPLEMENTATION: 'inline' };
    assert.equal((await scene.start({ ...inline, ...killing.env }).result).signal, 'SIGKILL');
    // Too silent to be in the way of those that join, and not failed over yet.
    await scene.query(
      `INSERT INTO mongo2pg.hosts (source_db, table_schema, selection, name, version, settings, task, is_lead, seen_at)
       VALUES ($1, $2, 'things', 'gone/1', '1', '{}', 'verify', true, now() - interval '1 day')`,
      [scene.db.databaseName, scene.env.POSTGRES_SCHEMA ?? 'public'],
    );
    const failover = await setFailpoints(t, { 'host-before-failover': 'pause' });
    const started = begin(t, scene, { ...longLease, ...failover.env, RESTART: 'true', IF_EXISTS: 'drop' });
    await failover.waitUntilFired('host-before-failover');
    await failover.resume('host-before-failover');
    assertCode(await started.result, 0);
    await scene.assertEqual();
    const runs = 'SELECT replaced_at IS NULL AS "isThere" FROM mongo2pg.runs ORDER BY run_id';
    assert.deepEqual(await scene.query(runs), [{ isThere: false }, { isThere: true }]);
  });
});
