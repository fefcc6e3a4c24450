import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene } from '../support/fault.ts';

/** Whether the batch that the worker was at is committed when it dies. */
const windows = [
  ['worker-before-claim', false],
  ['worker-in-copy', false],
  ['worker-before-commit', false],
  ['worker-before-ack', true],
] as const;

describe('a worker killed', () => {
  for (const [window, isCommitted] of windows) {
    it(`at ${window}: another takes over, and its batch is there once`, async (t) => {
      const scene = await setScene(t);
      const failpoints = await setFailpoints(t, { [window]: 'kill@5' });
      const run = await scene.run(failpoints.env);
      assertCode(run, 0);
      assert.equal(await failpoints.countFirings(window), 1);
      assert.match(run.notices, /worker \d+ ended by SIGKILL; another is started/);
      assert.equal(
        run.summary?.duplicates,
        isCommitted ? 1 : 0,
        'the ledger answers for a batch that it has',
      );
      await scene.assertEqual();
    });
  }
});
