import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it, type TestContext } from 'node:test';
import { BSON, type Document } from 'mongodb';
import pg from 'pg';
import { ExitCode } from '../../../src/common/errors.ts';
import { startCitus, describeCitus, lacksCitus, type CitusCluster } from '../../support/citus.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { assertCode, setScene, setSceneOn, type FaultRun, type Scene } from '../../support/fault.ts';
import { mongoUrl } from '../../support/servers.ts';

const lacks = lacksCitus();
const count = 1_000;

describe(`Citus as the target (${describeCitus() ?? 'none here'})`, { skip: lacks }, () => {
  let citus: CitusCluster;
  before(async () => {
    citus = await startCitus();
  });
  after(async () => {
    await citus.remove();
  });
  afterEach(async () => {
    const client = new pg.Client({ connectionString: citus.url });
    await client.connect();
    await client.query(
      'DROP SCHEMA IF EXISTS mongo2pg CASCADE; DROP TABLE IF EXISTS things_tags, things_lines, things CASCADE',
    );
    await client.end();
  });

  const setCitusScene = (t: TestContext, documents = count): Promise<Scene> =>
    setSceneOn(t, { mongoUrl, postgresUrl: citus.url }, documents, 'inline');

  const distributed = { DISTRIBUTE: 'true' };

  async function readDistributed(scene: Scene): Promise<Record<string, string>> {
    const rows = await scene.query<{ table: string; column: string }>(
      `SELECT logicalrelid::text AS "table", column_to_column_name(logicalrelid, partkey) AS "column"
         FROM pg_dist_partition ORDER BY 1`,
    );
    return Object.fromEntries(rows.map(({ table, column }) => [table, column]));
  }

  async function fail(scene: Scene, code: string, ...args: string[]): Promise<void> {
    const run = await scene.run({}, ...args);
    assertCode(run, ExitCode.target);
    assert.match(run.stdout + run.stderr, new RegExp(code));
  }

  it('new tables are distributed by _id, and every node has rows of them', async (t) => {
    const scene = await setCitusScene(t);
    assertCode(await scene.run(distributed), ExitCode.ok);
    await scene.assertEqual();
    assert.deepEqual(await readDistributed(scene), { things: '_id' });
    const nodes = await scene.query<{ n: number }>(
      "SELECT result::int AS n FROM run_command_on_shards('things', 'SELECT count(*) FROM %s') WHERE result <> '0'",
    );
    assert.ok(nodes.length > 1);
    assertCode(await scene.run({}, 'verify'), ExitCode.ok);
  });

  // Citus gives its nodes the names of columns to be analyzed without their quotes.
  it('with columns whose names have capital letters; a dry run shows all statements', async (t) => {
    const scene = await setCitusScene(t, 10);
    await scene.collection.updateMany({}, { $set: { lastName: 'a', lines: [{ unitPrice: 2 }] } });
    const env = { ...distributed, PLAN_SCHEMA: 'relational' };
    const dry = await scene.run(env, '--dry-run');
    assertCode(dry, ExitCode.ok);
    assert.match(dry.stdout, /create_distributed_table\('[^']*things[^']*', '_id'\).*colocate_with/);
    assertCode(await scene.run(env), ExitCode.ok);
    assertCode(await scene.run({}, 'verify'), ExitCode.ok);
  });

  it('without --distribute they are tables of the coordinator alone', async (t) => {
    const scene = await setCitusScene(t);
    assertCode(await scene.run(), ExitCode.ok);
    assert.deepEqual(await readDistributed(scene), {});
    await scene.assertEqual();
  });

  it('no worker commits asynchronously', async (t) => {
    const scene = await setCitusScene(t);
    await scene.query(`CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF current_setting('synchronous_commit') <> 'on' THEN RAISE 'asynchronous'; END IF; RETURN NEW; END $$`);
    const failpoints = await setFailpoints(t, { 'worker-before-claim': 'pause' });
    const running = scene.run({ ...distributed, ...failpoints.env });
    await failpoints.waitUntilFired('worker-before-claim');
    await scene.query(
      'CREATE TRIGGER refuse BEFORE INSERT ON mongo2pg.batches FOR EACH ROW EXECUTE FUNCTION public.refuse()',
    );
    await failpoints.resume('worker-before-claim');
    assertCode(await running, ExitCode.ok);
    await scene.query('DROP FUNCTION public.refuse() CASCADE');
  });

  describe('a batch that is on the nodes, and whose ledger row is lost', () => {
    /** The state after a coordinator has lost a commit. */
    async function runAndLose(
      t: TestContext,
      scene: Scene,
      env: Record<string, string>,
      change: (lostIds: readonly number[]) => Promise<void> = () => Promise.resolve(),
    ): Promise<FaultRun & { readonly lost: number }> {
      const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
      const running = scene.run({ ...env, ...failpoints.env });
      await failpoints.waitUntilFired('primary-before-load-checkpoint');
      const lost = await scene.query<{ last: Buffer; documents: number }>(
        `DELETE FROM mongo2pg.batches WHERE ctid IN (SELECT ctid FROM mongo2pg.batches LIMIT 5)
          RETURNING last_id AS last, documents`,
      );
      assert.equal(lost.length, 5);
      await change(lost.map(({ last }) => Number(BSON.deserialize(last)._id)));
      await failpoints.resume('primary-before-load-checkpoint');
      // The last batch of a split range is shorter.
      return { ...(await running), lost: lost.reduce((sum, { documents }) => sum + documents, 0) };
    }

    it('is recognised, and counted as copied', async (t) => {
      const scene = await setCitusScene(t);
      const run = await runAndLose(t, scene, distributed);
      assertCode(run, ExitCode.ok);
      assert.match(run.notices, new RegExp(`a crash of PostgreSQL lost ${run.lost} documents`));
      assert.equal(run.summary?.copied, count);
      await scene.assertEqual();
    });

    it('is recognised with its rows in child tables', async (t) => {
      const scene = await setCitusScene(t);
      await scene.collection.updateMany({}, { $set: { tags: [{ a: 1 }, { a: 2 }] } });
      const run = await runAndLose(t, scene, { ...distributed, PLAN_SCHEMA: 'relational' });
      assertCode(run, ExitCode.ok);
      assert.equal(run.summary?.copied, count);
      assert.equal(run.summary.childRows, 2 * count);
      assert.deepEqual(await readDistributed(scene), { things: '_id', things_tags: '_id' });
      assertCode(await scene.run({}, 'verify'), ExitCode.ok);
    });

    it('is loaded again if its row is missing, and is a dead letter if its row differs', async (t) => {
      const scene = await setCitusScene(t);
      const run = await runAndLose(t, scene, distributed, async (lost) => {
        const [gone = 0, changed = 0] = lost;
        await scene.query('DELETE FROM things WHERE _id = $1', [gone]);
        await scene.query("UPDATE things SET text = 'other' WHERE _id = $1", [changed]);
      });
      // A row of another writer is not overwritten, and is surplus in the reconciliation.
      assertCode(run, ExitCode.target);
      assert.match(run.stdout, /ACCOUNT_UNBALANCED/);
      const letters = await scene.query<{ code: string }>('SELECT code FROM mongo2pg.dead_letters');
      assert.deepEqual(letters, [{ code: '23505' }]);
      const [rows] = await scene.query<{ n: number }>('SELECT count(*)::int AS n FROM things');
      assert.equal(rows?.n, count);
    });
  });

  describe('rows that a node rejects', () => {
    async function setRefusing(t: TestContext): Promise<Scene> {
      const scene = await setCitusScene(t);
      await scene.query(`CREATE TABLE things (_id integer PRIMARY KEY, text text, even boolean, _extra jsonb,
                           CONSTRAINT short CHECK (length(text) < 9))`);
      await scene.query("SELECT create_distributed_table('things', '_id')");
      await scene.collection.updateMany(
        { _id: { $in: [70, 500] as never[] } },
        { $set: { text: 'x'.repeat(20) } },
      );
      await scene.collection.updateOne({ _id: 600 as never }, { $set: { more: { a: 1 } } });
      return scene;
    }

    it('become dead letters with the SQLSTATE of the node, and rows once the table accepts them', async (t) => {
      const scene = await setRefusing(t);
      const run = await scene.run({ IF_EXISTS: 'append' });
      assertCode(run, ExitCode.deadLetters);
      await scene.assertEqual({ deadLetters: [70, 500] });
      const letters = await scene.query<{ code: string; detail: string }>(
        'SELECT code, detail FROM mongo2pg.dead_letters',
      );
      assert.deepEqual(
        letters.map(({ code }) => code),
        ['23514', '23514'],
      );
      assert.match(letters[0]?.detail ?? '', /violates check constraint "short"/);
      assertCode(await scene.run({}, 'verify'), ExitCode.ok);
      await scene.query('ALTER TABLE things DROP CONSTRAINT short');
      assertCode(await scene.run({}, 'retry'), ExitCode.ok);
      await scene.assertEqual();
    });

    it('the others of such a batch are committed in two phases, also if they are on one node', async (t) => {
      const scene = await setRefusing(t);
      await scene.collection.deleteMany({ _id: { $nin: [70, 71] as never[] } });
      const failpoints = await setFailpoints(t, {
        'worker-before-claim': 'pause',
        'worker-before-ack': 'pause',
      });
      const running = scene.run({ IF_EXISTS: 'append', ...failpoints.env });
      await failpoints.waitUntilFired('worker-before-claim');
      // Forgets those that have created the ledger.
      await scene.query('SELECT recover_prepared_transactions()');
      await failpoints.resume('worker-before-claim');
      await failpoints.waitUntilFired('worker-before-ack');
      // One for each node that has prepared a part.
      const [phases] = await scene.query<{ n: number }>('SELECT count(*)::int AS n FROM pg_dist_transaction');
      await failpoints.resume('worker-before-ack');
      assertCode(await running, ExitCode.deadLetters);
      assert.equal(phases?.n, 1);
    });

    it('a row of another writer with the same key is kept, and reported', async (t) => {
      const scene = await setRefusing(t);
      await scene.query("INSERT INTO things VALUES (5, 'theirs', true), (6, 'text 6', true)");
      const run = await scene.run({ IF_EXISTS: 'append' });
      assertCode(run, ExitCode.deadLetters);
      const letters = await scene.query<{ id: string; code: string }>(
        "SELECT document_id AS id, code FROM mongo2pg.dead_letters WHERE code = '23505' ORDER BY 1",
      );
      assert.deepEqual(
        letters.map(({ id }) => id),
        ['{"$numberInt":"5"}', '{"$numberInt":"6"}'],
      );
    });
  });

  it('verify finds rows that differ, are missing or surplus, on any node', async (t) => {
    const scene = await setCitusScene(t);
    await scene.collection.updateMany({}, { $set: { tags: [{ a: 1 }, { a: 2 }] } });
    assertCode(await scene.run({ ...distributed, PLAN_SCHEMA: 'relational' }), ExitCode.ok);
    await scene.query(`UPDATE things SET text = 'other' WHERE _id = 10`);
    await scene.query('DELETE FROM things WHERE _id = 11');
    await scene.query(`INSERT INTO things (_id, text) VALUES (-1, 'nobody''s')`);
    await scene.query('DELETE FROM things_tags WHERE _id = 12 AND a = 2');
    const run = await scene.run({}, 'verify');
    assertCode(run, ExitCode.different);
    const reported = run.stdout;
    for (const what of ['"different":2', '"missing":1', '"extra":1']) {
      assert.ok(reported.includes(what), reported.slice(-1500));
    }
  });

  it('possible indexes are created, and the others are reported', async (t) => {
    const scene = await setCitusScene(t);
    await scene.db.command({
      createIndexes: 'things',
      indexes: [
        { key: { text: 1 }, name: 'text_1', unique: true },
        { key: { even: 1 }, name: 'even_1' },
        { key: { text: 1, _id: 1 }, name: 'both', unique: true },
      ],
    });
    const run = await scene.run(distributed);
    assertCode(run, ExitCode.ok);
    const outcomes = run.summary?.indexes.map(({ index, outcome }) => `${index} ${outcome}`).sort();
    assert.deepEqual(outcomes, ['both built', 'even_1 built', 'text_1 left']);
    assert.match(run.stdout, /its table is distributed by _id/);
  });

  describe('is refused before anything is written', () => {
    it('a table that is distributed by another column', async (t) => {
      const scene = await setCitusScene(t);
      await scene.query('CREATE TABLE things (_id integer, text text, even boolean, _extra jsonb)');
      await scene.query("SELECT create_distributed_table('things', 'text')");
      await fail(scene, 'DISTRIBUTED_OTHERWISE', '--if-exists', 'append');
    });

    it('--distribute with an existing table that is not distributed', async (t) => {
      const scene = await setCitusScene(t);
      await scene.query('CREATE TABLE things (_id integer, text text, even boolean, _extra jsonb)');
      await fail(scene, 'TABLE_NOT_DISTRIBUTED', '--if-exists', 'append', '--distribute');
    });

    it('following into distributed tables', async (t) => {
      const scene = await setCitusScene(t);
      await fail(scene, 'FOLLOW_DISTRIBUTED', '--follow', '--distribute');
    });

    it('promoting a field of a distributed table', async (t) => {
      const scene = await setCitusScene(t);
      await scene.collection.insertOne({ _id: 2_000, nickname: 'a' } as Document);
      assertCode(await scene.run({ ...distributed, SAMPLE_SIZE: '10' }), ExitCode.ok);
      const run = await scene.run({}, 'promote', 'things', 'nickname');
      assertCode(run, ExitCode.usage);
      assert.match(run.stdout + run.stderr, /PROMOTION_DISTRIBUTED/);
      assertCode(await scene.run({}, 'verify'), ExitCode.ok);
    });

    it('a worker node in place of the coordinator', async (t) => {
      const scene = await setCitusScene(t);
      const run = await scene.run({ POSTGRES_URL: citus.nodes[0]?.url ?? '' });
      assertCode(run, ExitCode.target);
      assert.match(run.stdout + run.stderr, /CITUS_NOT_COORDINATOR/);
    });
  });
});

describe('--distribute', () => {
  it('is refused without Citus', async (t) => {
    const scene = await setScene(t, 10);
    const run = await scene.run({ DISTRIBUTE: 'true' });
    assertCode(run, ExitCode.target);
    assert.match(run.stdout + run.stderr, /CITUS_MISSING/);
  });
});
