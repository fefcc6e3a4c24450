/** Loading through a worker node of Citus: the rows are written there, and the ledger on the coordinator. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it, type TestContext } from 'node:test';
import { BSON } from 'mongodb';
import pg from 'pg';
import { ExitCode } from '../../../src/common/errors.ts';
import { startCitus, describeCitus, lacksCitus, type CitusCluster } from '../../support/citus.ts';
import { waitUntil } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { assertCode, setSceneOn, type Scene } from '../../support/fault.ts';
import { mongoUrl } from '../../support/servers.ts';

const count = 1_000;

async function queryAt<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe(`CITUS_NODE_URL (${describeCitus() ?? 'no Citus here'})`, { skip: lacksCitus() }, () => {
  let citus: CitusCluster;
  let nodeUrl: string;
  before(async () => {
    citus = await startCitus();
    nodeUrl = citus.nodes[0]?.url ?? '';
  });
  after(async () => {
    await citus.remove();
  });
  afterEach(async () => {
    await queryAt(
      citus.url,
      'DROP SCHEMA IF EXISTS mongo2pg CASCADE; DROP TABLE IF EXISTS things_tags, things CASCADE',
    );
  });

  const setNodeScene = (t: TestContext, documents = count): Promise<Scene> =>
    setSceneOn(t, { mongoUrl, postgresUrl: citus.url }, documents, 'inline');

  const through = (): Record<string, string> => ({ DISTRIBUTE: 'true', CITUS_NODE_URL: nodeUrl });

  const countSessions = async (url: string): Promise<number> => {
    const [row] = await queryAt<{ count: number }>(
      url,
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name LIKE 'mongo2pg worker%'`,
    );
    return row?.count ?? 0;
  };

  // Red where workers connect to POSTGRES_URL.
  it('the workers connect to the node; all rows are there, and the ledger has them', async (t) => {
    const scene = await setNodeScene(t);
    await scene.collection.updateMany({}, { $set: { tags: [{ a: 1 }, { a: 2 }] } });
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@3' });
    const running = scene.run({ ...through(), ...failpoints.env, PLAN_SCHEMA: 'relational' });
    await failpoints.waitUntilFired('worker-before-commit');
    assert.ok((await countSessions(nodeUrl)) > 0);
    assert.equal(await countSessions(citus.url), 0);
    await failpoints.resume('worker-before-commit');
    const run = await running;
    assertCode(run, ExitCode.ok);
    assert.equal(run.summary?.copied, count);
    assert.equal(run.summary.childRows, 2 * count);
    const [counts] = await scene.query(
      'SELECT (SELECT count(*)::int FROM things) AS things, (SELECT count(*)::int FROM things_tags) AS tags, (SELECT count(*)::int FROM mongo2pg.relay) AS relayed',
    );
    assert.deepEqual(counts, { things: count, tags: 2 * count, relayed: 0 });
    const spread = await scene.query(
      `SELECT DISTINCT nodeport FROM citus_shards WHERE table_name = 'things'::regclass`,
    );
    assert.equal(spread.length, 2);
    const known = await scene.query<{ table: string }>(
      `SELECT logicalrelid::text AS "table" FROM pg_dist_partition WHERE logicalrelid::text LIKE 'mongo2pg.%'`,
    );
    assert.deepEqual(
      known,
      [{ table: 'mongo2pg.relay' }],
      'the ledger consists of tables of the coordinator',
    );
    assertCode(await scene.run({}, 'verify'), ExitCode.ok);
  });

  it('compares afterwards with --verify, at the coordinator', async (t) => {
    const scene = await setNodeScene(t);
    const run = await scene.run({ ...through(), VERIFY: 'true' });
    assertCode(run, ExitCode.ok);
    assert.match(run.stdout, /"compared":1000/);
  });

  // Red where a statement on a single server is committed before the node decides.
  it('commits in two phases by the record of the node, also a batch whose rows are all on that node', async (t) => {
    const scene = await setNodeScene(t);
    await scene.query(`CREATE TABLE things (_id integer PRIMARY KEY, text text, even boolean, _extra jsonb,
                         CONSTRAINT short CHECK (length(text) < 9))`);
    await scene.query("SELECT create_distributed_table('things', '_id')");
    const [local] = await queryAt<{ ids: number[] }>(
      nodeUrl,
      `SELECT array_agg(id) AS ids FROM generate_series(0, ${count - 1}) AS id JOIN pg_dist_placement p
           ON p.shardid = get_shard_id_for_distribution_column('things', id)
        WHERE p.groupid = (SELECT groupid FROM pg_dist_local_group)`,
    );
    const [kept, refused] = local?.ids ?? [];
    await scene.collection.deleteMany({ _id: { $nin: [kept, refused] as never[] } });
    // COPY, and then row by row.
    for (const text of ['short', 'longer than that']) {
      await scene.collection.updateOne({ _id: refused as never }, { $set: { text } });
      const failpoints = await setFailpoints(t, {
        'worker-before-claim': 'pause',
        'worker-before-ack': 'pause',
      });
      const env = { CITUS_NODE_URL: nodeUrl, IF_EXISTS: 'truncate', RESTART: 'true', ...failpoints.env };
      const running = scene.run(env);
      await failpoints.waitUntilFired('worker-before-claim');
      await queryAt(nodeUrl, 'SELECT recover_prepared_transactions()');
      await failpoints.resume('worker-before-claim');
      await failpoints.waitUntilFired('worker-before-ack');
      const prepared = await queryAt<{ group: number }>(
        nodeUrl,
        'SELECT groupid AS "group" FROM pg_dist_transaction',
      );
      await failpoints.resume('worker-before-ack');
      const run = await running;
      assertCode(run, text === 'short' ? ExitCode.ok : ExitCode.deadLetters);
      assert.equal(run.summary?.copied, text === 'short' ? 2 : 1);
      assert.deepEqual(prepared, [{ group: 0 }], 'the part of the coordinator');
    }
  });

  it('dead letters: of the transcoder, of a batch without rows, and with the SQLSTATE of a node', async (t) => {
    const scene = await setNodeScene(t);
    await scene.query(`CREATE TABLE things (_id integer PRIMARY KEY, text text, even boolean, _extra jsonb,
                         CONSTRAINT short CHECK (length(text) < 9))`);
    await scene.query("SELECT create_distributed_table('things', '_id')");
    const refused = { $in: [70, 71, 500] as never[] };
    await scene.collection.updateMany({ _id: refused }, { $set: { text: "it's \\ too long" } });
    await scene.collection.updateOne({ _id: 5 as never }, { $set: { text: 'a\0b' } });
    // A batch of its own, without a row.
    await scene.collection.updateMany({ _id: { $gte: 900 as never } }, { $set: { text: 'a\0b' } });
    const run = await scene.run({ CITUS_NODE_URL: nodeUrl, IF_EXISTS: 'append' });
    assertCode(run, ExitCode.deadLetters);
    assert.equal(run.summary?.deadLettered, 104);
    const letters = await scene.query<{ id: string; code: string; document: Buffer }>(
      `SELECT document_id AS id, code, document FROM mongo2pg.dead_letters WHERE reason = 'refused' ORDER BY length(document_id), 1`,
    );
    assert.deepEqual(
      letters.map(({ code }) => code),
      ['23514', '23514', '23514'],
    );
    assert.deepEqual(
      letters.map(({ document }) => BSON.deserialize(document).text as string),
      Array.from({ length: 3 }, () => "it's \\ too long"),
    );
    const [sums] = await scene.query(
      'SELECT sum(copied)::int AS copied, sum(dead_lettered)::int AS dead FROM mongo2pg.batches',
    );
    assert.deepEqual(sums, { copied: count - 104, dead: 104 });
    assertCode(await scene.run({}, 'verify'), ExitCode.ok);
    await scene.query('ALTER TABLE things DROP CONSTRAINT short');
    assertCode(await scene.run({}, 'retry'), ExitCode.deadLetters);
    const [rows] = await scene.query<{ n: number }>('SELECT count(*)::int AS n FROM things');
    assert.equal(rows?.n, count - 101);
  });

  it('a lost ack: the batch is delivered again, and the ledger recognises it', async (t) => {
    const scene = await setNodeScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-ack': 'drop@5x2' });
    const run = await scene.run({ ...through(), ...failpoints.env });
    assertCode(run, ExitCode.ok);
    assert.equal(run.summary?.duplicates, 2);
    await scene.assertEqual();
  });

  // Red where the error of a claim is not recognised by the SQLSTATE of the relay.
  it('a batch of a range with a later epoch is refused', async (t) => {
    const scene = await setNodeScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-claim': 'pause@3x*' });
    const running = scene.run({ ...through(), ...failpoints.env });
    await failpoints.waitUntilFired('worker-before-claim');
    await scene.query('UPDATE mongo2pg.ranges SET epoch = epoch + 1');
    const [before] = await scene.query('SELECT count(*) FROM things');
    await failpoints.resume('worker-before-claim');
    const run = await running;
    assertCode(run, ExitCode.target);
    assert.match(run.stdout, /RUN_TAKEN_OVER/);
    const [later] = await scene.query('SELECT count(*) FROM things');
    assert.deepEqual(later, before);
    assertCode(await scene.run(through()), ExitCode.ok);
    await scene.assertEqual();
  });

  it('a batch whose ledger row is lost is recognised', async (t) => {
    const scene = await setNodeScene(t);
    const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
    const running = scene.run({ ...through(), ...failpoints.env });
    await failpoints.waitUntilFired('primary-before-load-checkpoint');
    await scene.query(
      'DELETE FROM mongo2pg.batches WHERE ctid IN (SELECT ctid FROM mongo2pg.batches LIMIT 5)',
    );
    await failpoints.resume('primary-before-load-checkpoint');
    const run = await running;
    assertCode(run, ExitCode.ok);
    assert.equal(run.summary?.copied, count);
    await scene.assertEqual();
  });

  // Red where the transaction of a node is committed though the coordinator has undone its part.
  it('a batch whose session on the coordinator is ended before its commit is undone everywhere, and retried', async (t) => {
    const scene = await setNodeScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@3' });
    const running = scene.run({ ...through(), ...failpoints.env, CLUSTER_SIZE: '1' });
    await failpoints.waitUntilFired('worker-before-commit');
    const ended = await scene.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE relation = 'mongo2pg.ranges'::regclass AND mode = 'RowShareLock' AND application_name LIKE 'citus_internal%'`,
    );
    assert.equal(ended.length, 1);
    await failpoints.resume('worker-before-commit');
    const run = await running;
    assertCode(run, ExitCode.ok);
    assert.match(run.stdout, /"kind":"retried"/);
    assert.equal(run.summary?.copied, count);
    await scene.assertEqual();
  });

  // Red where only what the coordinator has begun is looked for: it stays prepared.
  it('what a node has begun, and a crash has left prepared on another, is ended by it before the run is finished', async (t) => {
    const scene = await setNodeScene(t);
    const other = citus.nodes[1]?.url ?? '';
    const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
    const running = scene.run({ ...through(), ...failpoints.env });
    await failpoints.waitUntilFired('primary-before-load-checkpoint');
    const [node] = await queryAt<{ group: number }>(
      nodeUrl,
      'SELECT groupid AS "group" FROM pg_dist_local_group',
    );
    const left = new pg.Client({ connectionString: other });
    await left.connect();
    await left.query(
      `BEGIN; CREATE TABLE public.left_behind (a int); PREPARE TRANSACTION 'citus_${node?.group}_4242_77_0'`,
    );
    await left.end();
    await failpoints.resume('primary-before-load-checkpoint');
    assertCode(await running, ExitCode.ok);
    assert.deepEqual(await queryAt(other, 'SELECT gid FROM pg_prepared_xacts'), []);
    await scene.assertEqual();
  });

  // Red where the node waits for as long as the connection is there.
  it('a worker that is suspended in a batch: the node ends its transaction', async (t) => {
    const scene = await setNodeScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@3' });
    const running = scene.start({ ...through(), ...failpoints.env, ANSWER_TIMEOUT_SECONDS: '2' });
    await failpoints.waitUntilFired('worker-before-commit');
    running.process.kill('SIGSTOP');
    await waitUntil('the transaction is ended', async () => {
      const open = await queryAt(
        nodeUrl,
        `SELECT FROM pg_stat_activity WHERE application_name = 'mongo2pg worker' AND state LIKE 'idle in transaction%'`,
      );
      return open.length === 0;
    });
    running.process.kill('SIGCONT');
    await failpoints.resume('worker-before-commit');
    const run = await running.result;
    assertCode(run, ExitCode.ok);
    await scene.assertEqual();
  });

  it('the relay is created again if Citus knows it no more', async (t) => {
    const scene = await setNodeScene(t, 10);
    assertCode(await scene.run(through()), ExitCode.ok);
    await scene.query("SELECT undistribute_table('mongo2pg.relay')");
    assertCode(await scene.run(through(), '--restart', '--if-exists', 'drop'), ExitCode.ok);
    await scene.query('DROP TABLE mongo2pg.relay');
    assertCode(await scene.run(through(), '--restart', '--if-exists', 'drop'), ExitCode.ok);
    await scene.assertEqual();
  });

  it('reference tables are loaded through the node, too', async (t) => {
    const scene = await setNodeScene(t);
    await scene.query('CREATE TABLE things (_id integer PRIMARY KEY, text text, even boolean, _extra jsonb)');
    await scene.query("SELECT create_reference_table('things')");
    assertCode(await scene.run({ CITUS_NODE_URL: nodeUrl, IF_EXISTS: 'append' }), ExitCode.ok);
    await scene.assertEqual();
  });

  it('doctor and a dry run check the node', async (t) => {
    const scene = await setNodeScene(t, 10);
    const doctor = await scene.run({ CITUS_NODE_URL: nodeUrl }, 'doctor');
    assert.match(doctor.stdout, /rows can be loaded through the node 127\.0\.0\.1:\d+/);
    assertCode(await scene.run(through(), '--dry-run'), ExitCode.ok);
    const refused = await scene.run({ ...through(), CITUS_NODE_URL: citus.url }, '--dry-run');
    assert.match(refused.stdout + refused.stderr, /CITUS_NODE_UNKNOWN/);
    const advised = await scene.run({ CITUS_NODE_URL: citus.url }, 'doctor');
    assert.match(advised.stdout, /CITUS_NODE_UNKNOWN|is no worker node/);
  });

  describe('is refused before anything is written', () => {
    async function fail(
      scene: Scene,
      code: string,
      env: Record<string, string>,
      says = new RegExp(code),
    ): Promise<void> {
      const run = await scene.run({ ...through(), ...env });
      assertCode(run, ExitCode.target);
      const said = run.stdout + run.stderr;
      assert.match(said, new RegExp(code));
      assert.match(said, says);
      const [written] = await scene.query(
        `SELECT to_regnamespace('mongo2pg') AS ledger, to_regclass('things') AS "table"`,
      );
      assert.deepEqual(written, { ledger: null, table: null });
    }

    const withDatabase = (url: string, name: string): string => url.replace(/\/[^/]*$/, `/${name}`);

    it('the coordinator itself', async (t) => {
      const scene = await setNodeScene(t, 10);
      await fail(scene, 'CITUS_NODE_UNKNOWN', { CITUS_NODE_URL: citus.url }, /the coordinator itself/);
    });

    it('a database without Citus, and another database of the node with it', async (t) => {
      const scene = await setNodeScene(t, 10);
      await queryAt(nodeUrl, 'SET citus.enable_create_database_propagation = off').catch(() => undefined);
      await queryAt(nodeUrl, 'CREATE DATABASE other');
      const other = withDatabase(nodeUrl, 'other');
      await fail(scene, 'CITUS_NODE_UNKNOWN', { CITUS_NODE_URL: other }, /no extension citus/);
      await queryAt(other, 'CREATE EXTENSION citus');
      await fail(scene, 'CITUS_NODE_UNKNOWN', { CITUS_NODE_URL: other }, /is no worker node/);
      await queryAt(nodeUrl, 'DROP DATABASE other WITH (FORCE)');
    });

    it('a node of another cluster', async (t) => {
      const scene = await setNodeScene(t, 10);
      const foreign = await startCitus({ nodes: 1 });
      try {
        const url = foreign.nodes[0]?.url ?? '';
        await fail(scene, 'CITUS_NODE_UNKNOWN', { CITUS_NODE_URL: url }, /is no worker node/);
      } finally {
        await foreign.remove();
      }
    });

    it('a node whose metadata is not synced', async (t) => {
      const scene = await setNodeScene(t, 10);
      const port = citus.nodes[0]?.port ?? 0;
      await scene.query(`SELECT stop_metadata_sync_to_node('127.0.0.1', ${port})`);
      try {
        await fail(scene, 'CITUS_NODE_UNSYNCED', {}, /start_metadata_sync_to_all_nodes/);
      } finally {
        await scene.query('SELECT start_metadata_sync_to_all_nodes()');
      }
    });

    it('a coordinator that the nodes do not know', async (t) => {
      const scene = await setNodeScene(t, 10);
      const { port } = citus.coordinator;
      await scene.query(`SELECT citus_remove_node('127.0.0.1', ${port})`);
      try {
        await fail(scene, 'CITUS_COORDINATOR_UNLISTED', {}, /citus_set_coordinator_host/);
      } finally {
        await scene.query(`SELECT citus_set_coordinator_host('127.0.0.1', ${port})`);
      }
    });

    it('a node that cannot reach the coordinator', async (t) => {
      const scene = await setNodeScene(t, 10);
      const { port } = citus.coordinator;
      await queryAt(nodeUrl, 'UPDATE pg_dist_node SET nodeport = 1 WHERE groupid = 0');
      try {
        await fail(scene, 'CITUS_NODE_CUT_OFF', {}, /does not reach the coordinator/);
      } finally {
        await queryAt(nodeUrl, `UPDATE pg_dist_node SET nodeport = ${port} WHERE groupid = 0`);
      }
    });

    it('a table of the coordinator alone', async (t) => {
      const scene = await setNodeScene(t, 10);
      await fail(scene, 'CITUS_NODE_LACKS_TABLE', { DISTRIBUTE: 'false' });
    });

    it('a server that does not answer, with the name of the setting', async (t) => {
      const scene = await setNodeScene(t, 10);
      const env = { CITUS_NODE_URL: 'postgres://postgres@127.0.0.1:1/postgres' };
      await fail(scene, 'POSTGRES_NOT_REACHED', env, /port in CITUS_NODE_URL/);
    });
  });
});
