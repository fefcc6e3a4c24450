import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene } from '../support/fault.ts';

describe('connections to PostgreSQL terminated', () => {
  for (const [who, application] of [
    ['of the workers', 'mongo2pg worker'],
    ['of the primary', 'mongo2pg primary'],
    ['of all', 'mongo2pg%'],
  ] as const) {
    it(`${who}: they are reopened`, async (t) => {
      const scene = await setScene(t);
      const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@8' });
      let retries = 0;
      const running = act(scene.start(failpoints.env), (event) => {
        if (event.kind === 'retried') retries += event.server === 'postgres' ? event.times : 0;
      });
      await failpoints.waitUntilFired('worker-before-commit');
      const ended = await scene.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name LIKE $1 AND datname = current_database()`,
        [application],
      );
      assert.ok(ended.length > 0);
      await failpoints.resume('worker-before-commit');
      const run = await running;
      assertCode(run, 0);
      assert.ok(retries >= ended.length, `${retries} retries are reported`);
      await scene.assertEqual();
    });
  }
});
