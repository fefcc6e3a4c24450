import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { cleanUp, isAlive, waitForProcessEnd } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, lacksWorkerProcess } from '../support/fault.ts';

// Each waits ten seconds for such a worker, so they run in parallel.
describe(
  'the primary killed while a worker is stopped during a batch',
  { concurrency: 3, skip: lacksWorkerProcess },
  () => {
    const ways = [
      { name: 'the same command', args: [], said: /continuing run 1/ },
      { name: 'a new beginning', args: ['--restart'], said: /removed the table/ },
      // Without tracking, the state is `disabled`, without an age.
      {
        name: 'the same command, without track_activities,',
        args: [],
        said: /continuing run 1/,
        track: 'off',
      },
    ] as const;
    for (const { name, args, said, ...settings } of ways) {
      it(`${name} ends the session of that worker, and copies its batch`, async (t) => {
        const scene = await setScene(t);
        const { track = 'on' } = { ...settings };
        const database = new URL(scene.env.POSTGRES_URL ?? '').pathname.slice(1);
        await scene.query(`ALTER DATABASE ${database} SET track_activities = ${track}`);
        const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@5' });
        const first = scene.start(failpoints.env);
        const stopped = await failpoints.waitUntilFired('worker-before-commit');
        process.kill(stopped, 'SIGSTOP');
        cleanUp(t, async () => {
          process.kill(stopped, 'SIGKILL');
          await waitForProcessEnd(stopped);
        });
        const exited = once(first.process, 'exit');
        first.process.kill('SIGKILL');
        await exited;
        const open = await scene.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'mongo2pg worker' AND state = $1`,
          [track === 'on' ? 'idle in transaction' : 'disabled'],
        );
        assert.ok(open.length > 0, 'it has left a batch open');

        // Shorter than the wait for that worker, in which Postgres is working.
        const run = await scene.run({ ANSWER_TIMEOUT_SECONDS: '3' }, ...args);
        assertCode(run, 0);
        assert.ok(await isAlive(stopped), 'the worker has not ended by itself');
        assert.match(run.notices, said);
        await scene.assertEqual();
      });
    }
  },
);
