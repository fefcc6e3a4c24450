import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { pool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, killed, setScene, lacksSeparateWorkers } from '../support/fault.ts';

const skip = lacksSeparateWorkers(pool);

it(
  'workers that die before they are ready: the run fails with the reason, and can be resumed',
  { skip },
  async (t) => {
    const scene = await setScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-ready': 'killx*' });
    const run = await scene.run(failpoints.env);
    assertCode(run, ExitCode.internal);
    assert.match(run.stderr, new RegExp(`${killed[pool]}; 5 workers in a row died before they were ready`));
    assert.match(run.stderr, /the same command resumes from there/);
    assertCode(await scene.run(), 0);
    await scene.assertEqual();
  },
);
