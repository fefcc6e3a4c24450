/** PostgreSQL crashes while several hosts follow: all of them reconnect, and what it lost is merged again. */

import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { assertEqualTable } from '../support/compare.ts';
import { createClient } from '../support/date-style.ts';
import { cleanUp, waitUntil } from '../support/embedded.ts';
import { setFailpoints, type Failpoints } from '../support/failpoints.ts';
import { setSceneOn, type Scene } from '../support/fault.ts';
import { untilMerged } from '../support/follow.ts';
import { eventsOf } from '../support/hosts.ts';
import {
  assertMergedOnce,
  beginFollowing,
  cutOverAll,
  findIdOf,
  followByTwo,
  hexOf,
  joinFollowing,
  readSlots,
  setText,
  writeEverywhere,
  type FollowingHost,
} from '../support/hosts-follow.ts';
import { keepCommitsFromDisk, letCommitsToDisk } from '../support/lost-commits.ts';
import {
  startPrivatePostgres,
  type PostgresStopMode,
  type PrivateServer,
} from '../support/private-servers.ts';
import { mongoUrl } from '../support/servers.ts';

/** Whose change comes alone, so that it is the first of its reply. */
const lastId = 77_777;

describe('PostgreSQL, while several hosts follow,', () => {
  let postgres: PrivateServer<PostgresStopMode>;
  before(async () => {
    postgres = await startPrivatePostgres();
  });
  after(() => postgres.remove());

  /** By a connection that is made after the crash. */
  async function reconnect(t: TestContext, scene: Scene): Promise<Scene> {
    const client = createClient(postgres.url);
    await client.connect();
    cleanUp(t, () => client.end());
    return {
      ...scene,
      client,
      query: async <Row extends object>(sql: string, values: unknown[] = []) =>
        (await client.query<Row>(sql, values)).rows,
      assertEqual: (options) => assertEqualTable(scene.collection, client, 'things', options),
    };
  }

  // Red where a host that does not lead polls its slots without a retry: it ends with 1.
  it('crashes while each of three has a merge in flight: all reconnect, and are cut over', async (t) => {
    const scene = await setSceneOn(t, { mongoUrl, postgresUrl: postgres.url }, 500);
    const hosts: { readonly merging: Failpoints; readonly host: FollowingHost }[] = [];
    for (const start of [beginFollowing, joinFollowing, joinFollowing]) {
      const merging = await setFailpoints(t, { 'worker-before-merge-commit': 'pause' });
      hosts.push({ merging, host: await start(t, scene, merging.env) });
    }
    await waitUntil('each has its part', async () => {
      const slots = await readSlots(scene);
      return hosts.every(({ host }) => (slots[host.hostId]?.slots ?? 0) >= 21);
    });
    await writeEverywhere(scene, 1);
    for (const { merging } of hosts) await merging.waitUntilFired('worker-before-merge-commit');
    await postgres.restart('immediate');
    for (const { merging } of hosts) await merging.resume('worker-before-merge-commit');
    const restarted = await reconnect(t, scene);
    await writeEverywhere(restarted, 2);
    await untilMerged(restarted);
    await assertMergedOnce(restarted);
    await cutOverAll(
      restarted,
      hosts.map(({ host }) => host.run),
    );
    for (const { host } of hosts) {
      const { stdout } = await host.run.result;
      assert.ok(eventsOf(stdout).some(({ kind }) => kind === 'retried'));
    }
  });

  it('crashes and loses a drain that another host than the leader has acked: it is merged again', async (t) => {
    const scene = await setSceneOn(t, { mongoUrl, postgresUrl: postgres.url }, 500);
    const draining = await setFailpoints(t, {
      'primary-before-drain': 'pause',
      'primary-after-drain': 'pause',
    });
    // Without an answer of the stream to record, the leader commits nothing to the disk, which would take along the drain before it.
    const reading = await setFailpoints(t, { 'primary-before-journal': `pause?${hexOf(lastId)}` });
    const [leader, other] = await followByTwo(t, scene, {
      ofLeader: { VERIFY_SHARE: '0%', ...reading.env },
      ofOther: draining.env,
    });
    await setText(scene, await findIdOf(scene, other.hostId), 'taken back once');
    await draining.waitUntilFired('primary-before-drain');
    // The change is in the journal, and on the disk.
    const killWriter = await keepCommitsFromDisk(scene.client, { synchronous_commit: 'off' });
    await setText(scene, lastId, 'last');
    await reading.waitUntilFired('primary-before-journal');
    await draining.resume('primary-before-drain');
    await draining.waitUntilFired('primary-after-drain');
    const waiting = 'SELECT count(*)::int AS count FROM mongo2pg.changes';
    assert.deepEqual(await scene.query(waiting), [{ count: 0 }], 'the drain is committed');
    killWriter();
    await postgres.restart('immediate');
    const restarted = await reconnect(t, scene);
    await letCommitsToDisk(restarted.client);
    assert.deepEqual(await restarted.query(waiting), [{ count: 1 }], 'its commit was taken back');
    await draining.resume('primary-after-drain');
    await reading.resume('primary-before-journal');
    await writeEverywhere(restarted, 1);
    await untilMerged(restarted);
    await assertMergedOnce(restarted);
    await cutOverAll(restarted, [leader.run, other.run]);
  });
});
