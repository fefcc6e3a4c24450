import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, killed, setSceneByProxy, lacksSeparateWorkers } from '../support/fault.ts';

it(
  'workers that start while PostgreSQL is down wait for it',
  { skip: lacksSeparateWorkers(pool) },
  async (t) => {
    const { scene, proxy } = await setSceneByProxy(t);
    // The replacements, whose connections are refused until all have tried.
    const failpoints = await setFailpoints(t, {
      'worker-before-claim': 'kill@5x2',
      'worker-before-ready': 'pause@3x2',
    });
    let isAway = false;
    const ended = act(scene.start(failpoints.env), async (event) => {
      if (event.kind !== 'progress' || isAway) return;
      isAway = true;
      await failpoints.waitUntilFired('worker-before-ready', 2);
      proxy.cut();
      proxy.refuse();
      await failpoints.resume('worker-before-ready');
      // Long enough for an attempt, and far from RETRY_SECONDS.
      await scene.query('SELECT pg_sleep(0.5)');
      await proxy.restore();
    });
    const run = await ended;
    assertCode(run, 0);
    assert.equal(run.notices.split(killed[pool]).length - 1, 2);
    await scene.assertEqual();
  },
);
