import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { plainPool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setSceneOn } from '../support/fault.ts';
import { keepCommitsFromDisk, letCommitsToDisk } from '../support/lost-commits.ts';
import {
  startPrivatePostgres,
  type PostgresStopMode,
  type PrivateServer,
} from '../support/private-servers.ts';
import { mongoUrl } from '../support/servers.ts';

describe('PostgreSQL', () => {
  let postgres: PrivateServer<PostgresStopMode>;
  before(async () => {
    postgres = await startPrivatePostgres();
  });
  after(async () => {
    await postgres.remove();
  });

  const servers = () => ({ mongoUrl, postgresUrl: postgres.url });

  for (const mode of ['fast', 'immediate'] as const) {
    it(`restarted (${mode}) during the run: workers and primary reconnect`, async (t) => {
      const scene = await setSceneOn(t, servers());
      const failpoints = await setFailpoints(t, { 'worker-in-copy': 'pause@8' });
      const running = scene.run(failpoints.env);
      await failpoints.waitUntilFired('worker-in-copy');
      await postgres.restart(mode);
      await failpoints.resume('worker-in-copy');
      const run = await running;
      assertCode(run, 0);
      const fresh = await setFreshEyes(postgres.url);
      await fresh.assertEqual(scene.collection);
      await fresh.end();
    });
  }

  it('that crashes and loses acked batches: they are read again', async (t) => {
    const scene = await setSceneOn(t, servers(), undefined, plainPool);
    // A run records its pace once a second.
    const killWriter = await keepCommitsFromDisk(scene.client, { synchronous_commit: 'off' });
    const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
    const running = scene.run(failpoints.env);
    await failpoints.waitUntilFired('primary-before-load-checkpoint');
    killWriter();
    await postgres.restart('immediate');
    await failpoints.resume('primary-before-load-checkpoint');
    const run = await running;
    assertCode(run, 0);
    assert.match(run.notices, /a crash of PostgreSQL lost [\d,]+ documents; they are read again/);
    assert.equal(run.summary?.read, 3_000);
    const fresh = await setFreshEyes(postgres.url);
    await fresh.assertEqual(scene.collection);
    await letCommitsToDisk(fresh.client);
    await fresh.end();
  });

  // With its wal_level of minimal. Red where the first run is begun in the transaction that creates the ledger.
  it('that crashes after two runs does not reuse their ids', async (t) => {
    const scene = await setSceneOn(t, servers(), 10, plainPool);
    const begin = async (): Promise<void> => {
      assertCode(await scene.run({ IF_EXISTS: 'drop' }), 0);
    };
    await begin();
    await begin();
    await postgres.restart('immediate');
    await begin();
  });

  it('restarted while the primary key is built: it is built again', async (t) => {
    const scene = await setSceneOn(t, servers(), undefined, plainPool);
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'pause' });
    const running = scene.run(failpoints.env);
    await failpoints.waitUntilFired('primary-in-index-build');
    await postgres.restart('immediate');
    await failpoints.resume('primary-in-index-build');
    const run = await running;
    assertCode(run, 0);
    assert.match(run.notices, /reconnecting to PostgreSQL/);
    const fresh = await setFreshEyes(postgres.url);
    await fresh.assertEqual(scene.collection);
    await fresh.end();
  });

  it('stopped for longer than RETRY_SECONDS: the run stops, and the same command resumes', async (t) => {
    const scene = await setSceneOn(t, servers());
    const failpoints = await setFailpoints(t, { 'worker-in-copy': 'pause@8' });
    const running = scene.run({ ...failpoints.env, RETRY_SECONDS: '1' });
    await failpoints.waitUntilFired('worker-in-copy');
    await postgres.stop('fast');
    await failpoints.resume('worker-in-copy');
    const run = await running;
    assertCode(run, ExitCode.target);
    // It may have stopped before the server was completely down.
    const why = '(no PostgreSQL answers|.*the database system is shutting down)';
    assert.match(run.stderr, new RegExp(`kept failing for 1 s: ${why}.*the same command resumes`));
    await postgres.start();
    const second = await scene.run();
    assertCode(second, 0);
    assert.match(second.notices, /continuing run 1/);
    const fresh = await setFreshEyes(postgres.url);
    await fresh.assertEqual(scene.collection);
    await fresh.end();
  });
});

/** A connection made after the restart. */
async function setFreshEyes(url: string) {
  const { default: pg } = await import('pg');
  const { assertEqualTable } = await import('../support/compare.ts');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    client,
    end: () => client.end(),
    assertEqual: (collection: Parameters<typeof assertEqualTable>[0]) =>
      assertEqualTable(collection, client, 'things'),
  };
}
