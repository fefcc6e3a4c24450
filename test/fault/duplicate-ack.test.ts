import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';

it('a duplicate ack is counted and not applied', async (t) => {
  const scene = await setScene(t);
  const failpoints = await setFailpoints(t, { 'worker-before-ack': 'double@5x3' });
  const run = await scene.run(failpoints.env);
  assertCode(run, 0);
  assert.equal(run.summary?.unmatchedAcks, 3);
  assert.equal(run.summary.read, 3_000);
  await scene.assertEqual();
});
