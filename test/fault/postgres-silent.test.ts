import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cleanUp } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setSceneOn } from '../support/fault.ts';
import { createSandbox, mongoUrl } from '../support/servers.ts';
import { startProxy } from '../support/tcp-proxy.ts';

it('the network to PostgreSQL goes silent (half-open): new connections are made, and old sessions ended', async (t) => {
  const sandbox = await createSandbox();
  cleanUp(t, () => sandbox.remove());
  const proxy = await startProxy({ port: Number(new URL(sandbox.postgresUrl).port) });
  cleanUp(t, () => proxy.close());
  const scene = await setSceneOn(t, {
    mongoUrl,
    postgresUrl: sandbox.postgresUrl,
    commandPostgresUrl: proxy.url(sandbox.postgresUrl),
  });
  // A worker is between its claim and its COMMIT, so that its session holds the batch.
  const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@8' });
  const running = scene.run({ ...failpoints.env, ANSWER_TIMEOUT_SECONDS: '1' });
  await failpoints.waitUntilFired('worker-before-commit');
  proxy.goSilent();
  await proxy.restore();
  await failpoints.resume('worker-before-commit');
  const run = await running;
  assertCode(run, 0);
  await scene.assertEqual();
  assert.equal(run.summary?.read, 3_000);
});
