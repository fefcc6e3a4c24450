import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';

it('a lost ack: the batch is redelivered, and the ledger recognises it', async (t) => {
  const scene = await setScene(t);
  const failpoints = await setFailpoints(t, { 'worker-before-ack': 'drop@5x2' });
  const run = await scene.run(failpoints.env);
  assertCode(run, 0);
  assert.equal(await failpoints.countFirings('worker-before-ack'), 2);
  assert.equal(run.summary?.duplicates, 2);
  await scene.assertEqual();
});
