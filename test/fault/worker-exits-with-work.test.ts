import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, lacksSeparateWorkers } from '../support/fault.ts';

const skip = lacksSeparateWorkers(pool);

it('a worker that exits with code 0 while it holds batches: they are redelivered', { skip }, async (t) => {
  const scene = await setScene(t);
  const failpoints = await setFailpoints(t, { 'worker-before-commit': 'exit@5' });
  const run = await scene.run(failpoints.env);
  assertCode(run, 0);
  assert.match(run.notices, /ended with exit code 0; a replacement is started/);
  await scene.assertEqual();
});
