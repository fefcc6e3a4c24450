/** Several hosts that load distributed tables of Citus: all connect to the coordinator, and one after the other is killed. */

import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import type pg from 'pg';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { describeCitus, lacksCitus, startCitus, type CitusCluster } from '../support/citus.ts';
import { createClient } from '../support/date-style.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setSceneOn, type Scene } from '../support/fault.ts';
import {
  assertAccount,
  begin,
  beginHeld,
  declareDead,
  hostIdsOf,
  join,
  longLease,
  waitForHostId,
} from '../support/hosts.ts';
import { mongoUrl } from '../support/servers.ts';

/** One index at a time on each host, so that there is something left for the others. */
const distributed = { ...longLease, DISTRIBUTE: 'true', PLAN_SCHEMA: 'relational', INDEX_JOBS: '1' };

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

  /** A crash ends connections: each query has its own. */
  const query: Scene['query'] = async <Row extends pg.QueryResultRow>(
    sql: string,
    values: unknown[] = [],
  ) => {
    const client = createClient(citus.url);
    await client.connect();
    try {
      return (await client.query<Row>(sql, values)).rows;
    } finally {
      await client.end();
    }
  };

  async function setHostsScene(t: TestContext): Promise<Scene> {
    await query('DROP TABLE IF EXISTS things_tags, things');
    const scene = await setSceneOn(t, { mongoUrl, postgresUrl: citus.url }, 2_000, 'inline');
    await scene.collection.updateMany({}, [{ $set: { tags: [{ a: 1 }, { a: '$_id' }] } }]);
    await scene.collection.createIndexes([
      { key: { text: 1 }, name: 'by_text' },
      { key: { even: 1, text: -1 }, name: 'by_both' },
      { key: { 'tags.a': 1 }, name: 'by_tag' },
    ]);
    return { ...scene, query };
  }

  /** The tables' rows are on both nodes, and what one process compares is equal. */
  async function assertCopied(scene: Scene): Promise<void> {
    const [spread] = await scene.query<{ nodes: number }>(
      `SELECT count(DISTINCT nodeport)::int AS nodes FROM citus_shards WHERE table_name = 'things'::regclass`,
    );
    assert.equal(spread?.nodes, 2);
    await assertAccount(scene, 2_000);
    assertCode(await scene.run({}, 'verify'), ExitCode.ok);
    const [counts] = await scene.query(
      'SELECT (SELECT count(*)::int FROM things) AS things, (SELECT count(*)::int FROM things_tags) AS tags',
    );
    assert.deepEqual(counts, { things: 2_000, tags: 4_000 });
    const indexes = await scene.query<{ name: string }>(
      `SELECT indexname AS name FROM pg_indexes WHERE tablename LIKE 'things%' ORDER BY 1`,
    );
    assert.deepEqual(
      indexes.map(({ name }) => name),
      ['things_by_both', 'things_by_tag', 'things_by_text', 'things_pkey', 'things_tags_pkey'],
    );
  }

  it('killed in a batch, one after the other: the others finish what each had, and copy nothing twice', async (t) => {
    const scene = await setHostsScene(t);
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
    const scene = await setHostsScene(t);
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
    const scene = await setHostsScene(t);
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
    const scene = await setHostsScene(t);
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
    const scene = await setHostsScene(t);
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
