import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cleanUp } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setSceneOn } from '../support/fault.ts';
import { createSandbox, mongoUrl } from '../support/servers.ts';
import { startProxy } from '../support/tcp-proxy.ts';

it('workers that come up while PostgreSQL is away wait for it', async (t) => {
  const sandbox = await createSandbox();
  cleanUp(t, () => sandbox.remove());
  const proxy = await startProxy({ port: Number(new URL(sandbox.postgresUrl).port) });
  cleanUp(t, () => proxy.close());
  const scene = await setSceneOn(t, {
    mongoUrl,
    postgresUrl: sandbox.postgresUrl,
    commandPostgresUrl: proxy.url(sandbox.postgresUrl),
  });
  // The second round of workers, whose connections are refused until they have all tried.
  const failpoints = await setFailpoints(t, { 'worker-before-ready': 'pause@3x2' });
  let pids: readonly number[] = [];
  const ended = act(scene.start(failpoints.env), async (event) => {
    if (event.kind === 'started') pids = event.workerIds.map(Number);
    if (event.kind !== 'progress' || pids.length === 0) return;
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    pids = [];
    await failpoints.waitUntilFired('worker-before-ready', 2);
    proxy.cut();
    proxy.refuse();
    await failpoints.resume('worker-before-ready');
    // Long enough for a try, and far from RETRY_SECONDS.
    await scene.query('SELECT pg_sleep(0.5)');
    await proxy.restore();
  });
  const run = await ended;
  assertCode(run, 0);
  assert.equal(run.notices.match(/ended by SIGKILL/g)?.length, 2);
  await scene.assertEqual();
});
