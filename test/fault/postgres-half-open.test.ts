import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setSceneByProxy } from '../support/fault.ts';

it('half-open connections to PostgreSQL: new ones are opened, and the old sessions terminated', async (t) => {
  const { scene, proxy } = await setSceneByProxy(t);
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
