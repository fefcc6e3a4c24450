import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { plainPool, pool } from '../support/cli.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';

/** An error as Postgres itself would raise it, at the row of this `_id`, so many times. */
async function raise(scene: Scene, code: string, times: number): Promise<void> {
  await scene.query(`
    CREATE TABLE IF NOT EXISTS things (_id integer, text text, even boolean, _extra jsonb);
    CREATE SEQUENCE raised;
    CREATE FUNCTION raise_error() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      -- A sequence counts on where a transaction is rolled back.
      IF NEW._id = 1234 AND nextval('raised') <= ${times} THEN
        RAISE EXCEPTION 'raised by the test' USING ERRCODE = '${code}';
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER raises BEFORE INSERT ON things FOR EACH ROW EXECUTE FUNCTION raise_error()`);
}

describe('PostgreSQL rejects a batch with an error that is not about a row', () => {
  for (const [what, code, implementation] of [
    ['a full disk', '53100', pool],
    ['no memory', '53200', plainPool],
  ] as const) {
    it(`${what} (${code}): the run stops with the reason; once it is fixed the same command resumes`, async (t) => {
      const scene = await setScene(t, undefined, implementation);
      await raise(scene, code, 1_000);
      const stopped = await scene.run();
      assertCode(stopped, ExitCode.target);
      assert.match(stopped.stderr, new RegExp(`raised by the test \\(${code}.*the same command resumes`));
      await scene.query('DROP TRIGGER raises ON things');
      const run = await scene.run();
      assertCode(run, 0);
      assert.match(run.notices, /continuing run 1/);
      await scene.assertEqual();
    });
  }

  for (const [what, code, implementation] of [
    ['a deadlock', '40P01', pool],
    ['a statement that was cancelled', '57014', plainPool],
    ['an unavailable lock', '55P03', plainPool],
  ] as const) {
    it(`${what} (${code}): the batch is retried`, async (t) => {
      const scene = await setScene(t, undefined, implementation);
      await raise(scene, code, 3);
      assertCode(await scene.run(), 0);
      const [row] = await scene.query<{ last: string }>('SELECT last_value AS last FROM raised');
      assert.equal(Number(row?.last), 4, 'it was raised, and then not any more');
      await scene.assertEqual();
    });
  }

  it('a cancelled COPY: the batch is retried', async (t) => {
    const scene = await setScene(t);
    const failpoints = await setFailpoints(t, { 'worker-in-copy': 'pause@8' });
    const running = scene.run(failpoints.env);
    await failpoints.waitUntilFired('worker-in-copy');
    const cancelled = await scene.query(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'mongo2pg worker' AND datname = current_database() AND query LIKE '%; COPY %'`,
    );
    assert.ok(cancelled.length > 0);
    await failpoints.resume('worker-in-copy');
    assertCode(await running, 0);
    await scene.assertEqual();
  });

  it('a table locked for longer than ANSWER_TIMEOUT_SECONDS: the batch is retried', async (t) => {
    const scene = await setScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-claim': 'pause@8' });
    const running = scene.run({ ...failpoints.env, ANSWER_TIMEOUT_SECONDS: '1' });
    await failpoints.waitUntilFired('worker-before-claim');
    await scene.query('BEGIN');
    await scene.query('LOCK TABLE things IN ACCESS EXCLUSIVE MODE');
    await failpoints.resume('worker-before-claim');
    const pids = new Set<number>();
    // The session that waits for the lock is closed, and another one waits in its place.
    await waitUntil('four sessions have waited for the lock', async () => {
      // Within a transaction the activity is shown as it was first seen.
      await scene.query('SELECT pg_stat_clear_snapshot()');
      for (const { pid } of await scene.query<{ pid: number }>(waitingWorkers)) pids.add(pid);
      return pids.size >= 4;
    });
    await scene.query('ROLLBACK');
    assertCode(await running, 0);
    await scene.assertEqual();
  });
});

const waitingWorkers = `SELECT pid FROM pg_stat_activity WHERE application_name = 'mongo2pg worker'
   AND datname = current_database() AND wait_event_type = 'Lock'`;
