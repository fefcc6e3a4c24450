import assert from 'node:assert/strict';
import { once } from 'node:events';
import { it } from 'node:test';
import { plainPool } from '../support/cli.ts';
import { waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';

async function countSessions(scene: Scene, condition: string): Promise<number> {
  // Within a transaction the activity is shown as it was first seen.
  await scene.query('SELECT pg_stat_clear_snapshot()');
  const sessions = await scene.query(
    `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'mongo2pg%' AND ${condition}`,
  );
  return sessions.length;
}

it('the primary killed while Postgres builds the key: Postgres cancels it, and the next start builds it', async (t) => {
  const scene = await setScene(t, undefined, plainPool);
  const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'pause' });
  const running = scene.start(failpoints.env);
  await failpoints.waitUntilFired('primary-in-index-build');
  // A lock on the table delays the key until the lock is released.
  await scene.query('BEGIN');
  await scene.query('LOCK TABLE things IN ACCESS SHARE MODE');
  await failpoints.resume('primary-in-index-build');
  await waitUntil('the key waits for the lock', async () => {
    return (await countSessions(scene, "wait_event_type = 'Lock'")) === 1;
  });
  const exited = once(running.process, 'exit');
  running.process.kill('SIGKILL');
  await exited;
  // Only the end of its client can end that session.
  await waitUntil('no session is left', async () => (await countSessions(scene, 'true')) === 0);
  await scene.query('ROLLBACK');

  const run = await scene.run();
  assertCode(run, 0);
  assert.match(run.notices, /continuing run 1 .*: 3,000 documents committed, 0 gaps to read/);
  const keys = await scene.query(
    "SELECT FROM pg_constraint WHERE conrelid = 'things'::regclass AND contype = 'p'",
  );
  assert.equal(keys.length, 1);
  await scene.assertEqual();
});
