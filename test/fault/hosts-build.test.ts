/** Hosts that build keys and indexes together: the result is that of one host, even if others fail. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { RunEvent } from '../../src/observe/events.ts';
import type { RunningCli } from '../support/cli.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints, type Failpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import {
  begin,
  declareDead,
  eventsOf,
  expire,
  hostIdsOf,
  join,
  longLease,
  readHosts,
  waitForHostId,
} from '../support/hosts.ts';

/** One index at a time on each host, so that there is something left for the others. */
const oneAtATime = { ...longLease, INDEX_JOBS: '1' };
const partitioned = { ...oneAtATime, PARTITIONS: '4' };

/** Indexes of each outcome: built, built with a notice, refused by the rows, and without an equivalent. */
async function setIndexedScene(t: TestContext): Promise<Scene> {
  const scene = await setScene(t, 600);
  await scene.collection.createIndexes([
    { key: { text: 1 }, name: 'by_text' },
    { key: { even: 1, text: -1 }, name: 'by_both' },
    { key: { text: 1, even: 1 }, name: 'few', sparse: true },
    { key: { even: 1, _id: 1 }, name: 'unique_with_id', unique: true },
    { key: { text: 'text' }, name: 'words' },
  ]);
  return scene;
}

type IndexEvent = RunEvent & { readonly kind: 'index' };

/** What a run has reported of its indexes, without times. */
function indexesOf({ stdout }: { readonly stdout: string }): object[] {
  return eventsOf(stdout)
    .filter((event): event is IndexEvent => event.kind === 'index')
    .map((event) => (event.outcome === 'built' ? { ...event, durationMs: 0 } : event))
    .sort((a, b) => a.index.localeCompare(b.index));
}

/** Keys and indexes as PostgreSQL has them. */
async function readCatalog(scene: Scene): Promise<object[]> {
  return await scene.query(
    `SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AS "isValid", i.indisprimary AS "isKey"
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
      WHERE t.relname LIKE 'things%' ORDER BY 1`,
  );
}

interface BuildRow {
  readonly item: string;
  readonly hostId: string | null;
  readonly xmin: string;
}

async function readBuilds(scene: Scene): Promise<BuildRow[]> {
  return await scene.query<BuildRow & Record<string, unknown>>(
    'SELECT item, host_id AS "hostId", xmin::text FROM mongo2pg.host_builds ORDER BY item',
  );
}

/** The result of a single host, which runs here. */
async function assertAsAlone(
  scene: Scene,
  led: { readonly stdout: string },
  env: Readonly<Record<string, string>>,
): Promise<void> {
  const catalog = await readCatalog(scene);
  assert.ok(catalog.length > 3);
  const alone = await scene.start({ ...env, RESTART: 'true' }).result;
  assertCode(alone, 0);
  assert.deepEqual(indexesOf(led), indexesOf(alone));
  assert.deepEqual(catalog, await readCatalog(scene));
}

/** The leader is paused in its first build; the other builds wait for hosts to take them. */
async function holdLead(
  t: TestContext,
  scene: Scene,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly run: RunningCli; readonly hold: Failpoints }> {
  const hold = await setFailpoints(t, { 'host-before-build': 'pause@1x*' });
  const run = begin(t, scene, { ...env, ...hold.env });
  await hold.waitUntilFired('host-before-build');
  return { run, hold };
}

describe('several hosts that build keys and indexes', () => {
  for (const [what, env] of [
    ['of a table', oneAtATime],
    ['of partitions', partitioned],
  ] as const) {
    // Red where the leader builds alone.
    it(`${what}: each builds some, and all is as one host makes it`, async (t) => {
      const scene = await setIndexedScene(t);
      const held = [await holdLead(t, scene, env)];
      for (let index = 0; index < 2; index++) {
        const hold = await setFailpoints(t, { 'host-before-build': 'pause@1x*' });
        held.push({ run: join(t, scene, { ...env, ...hold.env }), hold });
        await hold.waitUntilFired('host-before-build');
      }
      for (const { hold } of held) await hold.resume('host-before-build');
      const results = [];
      for (const { run } of held) results.push(await run.result);
      for (const result of results) assertCode(result, 0);
      const [led] = results;
      assert.ok(led !== undefined);
      await scene.assertEqual();
      const reported = results.map(({ stdout }) =>
        /this host has built \d+ (key or index|keys and indexes)/.test(stdout),
      );
      assert.deepEqual(reported, [false, true, true]);
      await assertAsAlone(scene, led, env);
    });
  }

  // Red where the failure of another host's build is lost, or has another message.
  it('of a table with rows that do not allow its key: all end with the error that one host has', async (t) => {
    const scene = await setScene(t, 600);
    const hold = await setFailpoints(t, {
      'primary-in-index-build': 'pause',
      'host-before-build': 'pause@1x*',
    });
    const leader = begin(t, scene, { ...partitioned, ...hold.env });
    await hold.waitUntilFired('primary-in-index-build');
    await scene.query('INSERT INTO things SELECT * FROM things WHERE _id % 2 = 0');
    await hold.resume('primary-in-index-build');
    await hold.waitUntilFired('host-before-build');
    const other = join(t, scene, partitioned);
    await waitUntil('the other has tried the rest', async () => {
      const [row] = await scene.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM mongo2pg.host_builds WHERE done_at IS NULL',
      );
      return row?.count === 1;
    });
    await hold.resume('host-before-build');
    const led = await leader.result;
    assertCode(led, 4);
    assert.match(led.stdout, /PRIMARY_KEY_FAILED/);
    assert.match(led.stdout, /cannot be built: could not create unique index/);
    const joined = await other.result;
    assertCode(joined, 4);
    assert.match(joined.stdout, /PRIMARY_KEY_FAILED/);
  });
});

describe('a host that is killed while it builds', () => {
  // Red where a build is taken before its transaction, and stays with the dead host.
  it('with it and before its commit: the others build what it had', async (t) => {
    const scene = await setIndexedScene(t);
    const { run, hold } = await holdLead(t, scene, partitioned);
    for (const window of ['host-before-build', 'host-before-build-commit'] as const) {
      const killing = await setFailpoints(t, { [window]: 'kill' });
      const killed = await join(t, scene, { ...partitioned, ...killing.env }).result;
      assert.equal(killed.signal, 'SIGKILL', `${window}: ${killed.stderr}`);
      const [hostId = ''] = hostIdsOf(killed);
      await declareDead(scene, hostId);
      assert.ok((await readBuilds(scene)).every((build) => build.hostId !== hostId));
    }
    await hold.resume('host-before-build');
    const led = await run.result;
    assertCode(led, 0);
    await scene.assertEqual();
    await assertAsAlone(scene, led, partitioned);
  });

  for (const window of ['host-before-build', 'host-before-build-commit', 'primary-before-finish'] as const) {
    it(`while it leads, at ${window}: another leads, and builds what is missing`, async (t) => {
      const scene = await setIndexedScene(t);
      const killing = await setFailpoints(t, { [window]: window.startsWith('host') ? 'kill@6' : 'kill' });
      const killed = await begin(t, scene, { ...partitioned, ...killing.env }).result;
      assert.equal(killed.signal, 'SIGKILL', killed.stderr);
      const next = join(t, scene, partitioned);
      await waitForHostId(scene, next);
      await expire(scene, hostIdsOf(killed)[0] ?? '');
      const led = await next.result;
      assertCode(led, 0);
      await scene.assertEqual();
      const catalog = await readCatalog(scene);
      assertCode(await scene.start({ ...partitioned, RESTART: 'true' }).result, 0);
      assert.deepEqual(catalog, await readCatalog(scene));
    });
  }
});

describe('a host that is suspended past its lease while it builds', () => {
  // Red where a host that was declared dead can take builds.
  it('the others build what it had; when it resumes it builds nothing as that host, and joins again', async (t) => {
    const scene = await setIndexedScene(t);
    const { run, hold } = await holdLead(t, scene, partitioned);
    const still = await setFailpoints(t, { 'host-before-build-commit': 'pause' });
    // Its heartbeats are rare, so that it tries to continue before it notices that it was declared dead.
    const rare = { MONGO2PG_HOST_LIMITS: '6000/20000' };
    const stopped = join(t, scene, { ...partitioned, ...still.env, ...rare });
    await still.waitUntilFired('host-before-build-commit');
    const hostId = await waitForHostId(scene, stopped);
    stopped.process.kill('SIGSTOP');
    await declareDead(scene, hostId);
    await still.resume('host-before-build-commit');
    stopped.process.kill('SIGCONT');
    await waitUntil('it has joined again', async () => (await readHosts(scene)).length === 3);
    assert.ok((await readBuilds(scene)).every((build) => build.hostId !== hostId));
    await hold.resume('host-before-build');
    const led = await run.result;
    assertCode(led, 0);
    assertCode(await stopped.result, 0);
    await scene.assertEqual();
    await assertAsAlone(scene, led, partitioned);
  });
});
