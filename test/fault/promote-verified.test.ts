/** Other commands that change the rows, or the plan, while `verify` compares: it reports that, and no differences. */

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { runProcess } from '../support/cli.ts';
import { actAtPause, setFailpoints } from '../support/failpoints.ts';
import { setPromoteScene, withColumns, type PromoteScene } from '../support/promote.ts';

const documents = Array.from({ length: 20 }, (_, index) => ({
  _id: index + 1,
  nick: `n${index}`,
  name: 'a',
}));
const plan = withColumns({ column: 'name', path: 'name', type: 'string' });

/** Verifies, and acts when the documents are counted and none of them is compared yet. */
async function verifyDuring(t: TestContext, scene: PromoteScene, act: () => Promise<unknown>) {
  const point = 'worker-transcode';
  const failpoints = await setFailpoints(t, { [point]: 'pause' });
  const running = runProcess(['verify', '--source', scene.dump], { ...scene.env, ...failpoints.env });
  return await actAtPause(failpoints, point, running, act);
}

describe('a verification', () => {
  // Red where the plan is not read again: all 20 rows are reported as different, with exit code 6.
  it('during which a field is promoted reports that, and no difference', async (t) => {
    const scene = await setPromoteScene(t, documents);
    await scene.copy(plan);
    const run = await verifyDuring(t, scene, () => scene.promoted('things', 'nick'));
    assert.equal(run.code, ExitCode.usage, run.stderr);
    assert.match(run.stderr, /run 1 .* changed while it was compared: a field was promoted/);
    await scene.assertVerified();
  });

  it('during which the collection is copied from scratch reports that', async (t) => {
    const scene = await setPromoteScene(t, documents);
    await scene.copy(plan);
    const run = await verifyDuring(t, scene, () => scene.copy(plan, '--restart'));
    assert.equal(run.code, ExitCode.usage, run.stderr);
    assert.match(run.stderr, /run 1 .* changed while it was compared: another copy has replaced it/);
    await scene.assertVerified();
  });
});
