/** A primary that was suspended for so long that another has finished its run: it must not change anything any more. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import type { FailpointName } from '../../src/common/failpoints/rules.ts';
import { plainPool, pool } from '../support/cli.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene, type FaultRun, type Scene } from '../support/fault.ts';

/** Suspends a first run there, lets another command finish, and resumes the first one. */
async function supersede(
  t: TestContext,
  scene: Scene,
  failpoint: FailpointName,
  hit: number,
  ...args: string[]
): Promise<{ first: FaultRun; second: FaultRun }> {
  const failpoints = await setFailpoints(t, { [failpoint]: `pause@${hit}` });
  const running = scene.start(failpoints.env);
  const first = act(running, () => undefined);
  await failpoints.waitUntilFired(failpoint);
  running.process.kill('SIGSTOP');
  await waitUntil('the lock of the first is free', async () => {
    const sessions = await scene.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'mongo2pg primary' AND datname = current_database()`,
    );
    return sessions.length === 0;
  });
  const second = await scene.run({}, ...args);
  assertCode(second, 0);
  await failpoints.resume(failpoint);
  running.process.kill('SIGCONT');
  return { first: await first, second };
}

async function readLedger(scene: Scene): Promise<unknown[]> {
  const runs = await scene.query('SELECT *, xmin::text FROM mongo2pg.runs ORDER BY run_id');
  const ranges = await scene.query('SELECT *, xmin::text FROM mongo2pg.ranges ORDER BY run_id, range_no');
  return [...runs, ...ranges];
}

describe('a primary that resumes after another has taken over its run', () => {
  const places = [
    ['primary-after-ack', 10],
    ['primary-before-load-checkpoint', 1],
    ['primary-in-index-build', 1],
    ['primary-before-finish', 1],
  ] as const;
  for (const [failpoint, hit] of places) {
    it(`at ${failpoint}: ends with an error and duplicates nothing`, async (t) => {
      // Later failpoints do not involve workers.
      const scene = await setScene(t, undefined, failpoint === 'primary-after-ack' ? pool : plainPool);
      const { first, second } = await supersede(t, scene, failpoint, hit);
      assert.match(second.notices, /continuing run 1/);
      assertCode(first, ExitCode.target);
      assert.match(first.stderr, /another process has taken this run over/);
      assert.equal(first.summary, undefined, 'it does not claim what the other has done');
      await scene.assertEqual();
    });
  }

  it('and the other has restarted it, into a table of the same name: the same', async (t) => {
    const scene = await setScene(t);
    const { first, second } = await supersede(t, scene, 'primary-after-ack', 10, '--restart');
    assert.match(second.notices, /removed the table/);
    assertCode(first, ExitCode.target);
    assert.match(first.stderr, /another process has taken this run over/);
    await scene.assertEqual();
  });

  it('leaves the ledger as it is', async (t) => {
    const scene = await setScene(t, undefined, plainPool);
    const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
    const running = scene.start(failpoints.env);
    const first = act(running, () => undefined);
    await failpoints.waitUntilFired('primary-before-load-checkpoint');
    // The takeover of another command: what it does after that is not tested here.
    await scene.query('UPDATE mongo2pg.runs SET epoch = epoch + 1');
    const before = await readLedger(scene);
    await failpoints.resume('primary-before-load-checkpoint');
    assertCode(await first, ExitCode.target);
    assert.deepEqual(await readLedger(scene), before);
    assertCode(await scene.run(), 0);
    await scene.assertEqual();
  });
});

describe('a job of which another process has taken over the runs', () => {
  // Red where that is taken for an error of one collection: the job continues with the third.
  it('ends, and begins none of its other collections', async (t) => {
    const scene = await setScene(t, 400);
    for (const name of ['second', 'third']) {
      await scene.otherCollection(name).insertMany([{ text: 'one' }, { text: 'two' }]);
    }
    const failpoint = 'primary-before-load-checkpoint';
    const failpoints = await setFailpoints(t, { [failpoint]: 'pause@1x*' });
    const several = { MONGO_COLLECTION: 'things,second,third', CLUSTER_SIZE: '1' };
    // One worker is kept busy by two collections at a time.
    const running = scene.start({ ...several, ...failpoints.env });
    await failpoints.waitUntilFired(failpoint);
    const listRuns = 'SELECT source FROM mongo2pg.runs';
    await waitUntil('two are copied', async () => (await scene.query(listRuns)).length === 2);
    await scene.query('UPDATE mongo2pg.runs SET epoch = epoch + 1');
    await failpoints.resume(failpoint);
    const result = await running.result;
    assertCode(result, ExitCode.target);
    assert.match(result.stdout, /"code":"RUN_TAKEN_OVER"/);
    assert.equal((await scene.query(listRuns)).length, 2);
    const failed = await scene.query('SELECT FROM mongo2pg.job_collections WHERE outcome IS NOT NULL');
    assert.equal(failed.length, 0, 'the other process records their outcome');
  });
});
