import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everyPool, pool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, killed, setScene } from '../support/fault.ts';

/** Whether the current batch of the worker is committed when it dies. */
const windows = [
  ['worker-before-claim', false],
  ['worker-in-copy', false],
  ['worker-before-commit', false],
  ['worker-before-ack', true],
] as const;

/** All of them for one way to run workers, and the last for the others. */
const cases = everyPool.flatMap((implementation) =>
  windows
    .filter(([window]) => implementation === pool || window === 'worker-before-ack')
    .map((window) => [implementation, ...window] as const),
);

describe('a worker killed', () => {
  for (const [implementation, window, isCommitted] of cases.filter(([other]) => other !== 'inline')) {
    it(`at ${window} (${implementation}): another takes over, and its batch is loaded once`, async (t) => {
      const scene = await setScene(t, 3_000, implementation);
      const failpoints = await setFailpoints(t, { [window]: 'kill@5' });
      const run = await scene.run(failpoints.env);
      assertCode(run, 0);
      assert.equal(await failpoints.countFirings(window), 1);
      assert.match(
        run.notices,
        new RegExp(`worker [\\d/]+ ${killed[implementation]}; a replacement is started`),
      );
      assert.equal(
        run.summary?.duplicates,
        isCommitted ? 1 : 0,
        'the ledger answers for a batch that it has',
      );
      await scene.assertEqual();
    });
  }

  for (const [implementation, window] of cases.filter(([other]) => other === 'inline')) {
    it(`at ${window} (inline): the primary dies with it, and the same command resumes`, async (t) => {
      const scene = await setScene(t, 3_000, implementation);
      const failpoints = await setFailpoints(t, { [window]: 'kill@5' });
      assert.equal((await scene.run(failpoints.env)).signal, 'SIGKILL');
      const run = await scene.run();
      assertCode(run, 0);
      assert.match(run.notices, /continuing run 1/);
      assert.equal(run.summary?.duplicates, 0, 'what is committed is not read again');
      await scene.assertEqual();
    });
  }
});
