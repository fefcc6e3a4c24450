import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunEvent } from '../../src/observe/events.ts';
import { everyPool, pool, processesOf, startCli } from '../support/cli.ts';
import { cleanUp, waitForProcessEnd, waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene } from '../support/fault.ts';

/** The message with which the command confirms it. */
function isNoticeOf(signal: NodeJS.Signals, event: RunEvent): boolean {
  return event.kind === 'notice' && event.message.startsWith(signal);
}

describe('a signal', () => {
  for (const [signal, code, implementation] of [
    ...everyPool.map((other) => ['SIGINT', 130, other] as const),
    ['SIGTERM', 143, pool] as const,
    ['SIGHUP', 129, pool] as const,
  ]) {
    it(`${signal} (${implementation}): the batches in flight are committed, and the same command resumes`, async (t) => {
      const scene = await setScene(t, 3_000, implementation);
      // It is loading until it has received the signal.
      const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@5' });
      const running = scene.start(failpoints.env);
      const stopped = await act(running, async (event) => {
        if (event.kind === 'started') {
          await failpoints.waitUntilFired('primary-after-ack');
          running.process.kill(signal);
        }
        if (isNoticeOf(signal, event)) await failpoints.resume('primary-after-ack');
      });
      assertCode(stopped, code);
      assert.match(
        stopped.stderr,
        new RegExp(`stopped by ${signal} — [\\d,]+ documents are committed; the same command`),
      );
      const run = await scene.run();
      assertCode(run, 0);
      assert.match(run.notices, /continuing run 1/);
      await scene.assertEqual();
    });
  }

  it('to the process group is ignored by workers, also by those that are starting', async (t) => {
    const scene = await setScene(t, 3_000, 'cluster');
    // It does not finish before it has received the signal.
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@1' });
    const settings = { CLUSTER_IMPLEMENTATION: 'cluster', CLUSTER_SIZE: '12' };
    const env = { ...scene.env, ...settings, ...failpoints.env };
    const running = startCli(['--json'], env, { isDetached: true });
    cleanUp(t, () => {
      running.process.kill('SIGKILL');
    });
    const stopped = await act(running, async (event) => {
      // Most of the workers are still loading their code.
      if (event.kind === 'started') process.kill(-(running.process.pid ?? 0), 'SIGTERM');
      if (isNoticeOf('SIGTERM', event)) await failpoints.resume('primary-after-ack');
    });
    assertCode(stopped, 143);
    assert.doesNotMatch(stopped.notices, /a replacement is started/);
    assertCode(await scene.run(), 0);
    await scene.assertEqual();
  });

  it('a second one stops the run immediately, and the same command resumes', async (t) => {
    const scene = await setScene(t);
    // A worker that holds a batch and does not finish it keeps the first signal from ending the run.
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@5' });
    const running = scene.start(failpoints.env);
    let pids: readonly number[] = [];
    const ended = act(running, (event) => {
      if (event.kind === 'started') pids = processesOf(event);
    });
    await failpoints.waitUntilFired('worker-before-commit');
    // Repeatedly: a signal that follows immediately counts as the same.
    const pressing = setInterval(() => running.process.kill('SIGINT'), 100);
    cleanUp(t, () => {
      clearInterval(pressing);
    });
    const stopped = await ended;
    assertCode(stopped, 130);
    assert.doesNotMatch(stopped.stderr, /stopped by/);
    for (const pid of pids) await waitForProcessEnd(pid);
    assertCode(await scene.run(), 0);
    await scene.assertEqual();
  });

  it('while the primary key is built: the statement is cancelled, and the same command builds it', async (t) => {
    const scene = await setScene(t, 500);
    // A lock on the table delays the index until the lock is released.
    const failpoints = await setFailpoints(t, { 'primary-in-index-build': 'pause' });
    const running = scene.start(failpoints.env);
    const ended = act(running, () => undefined);
    await failpoints.waitUntilFired('primary-in-index-build');
    await scene.query('BEGIN');
    await scene.query('LOCK TABLE things IN ACCESS SHARE MODE');
    await failpoints.resume('primary-in-index-build');
    const isWaiting = async (): Promise<boolean> => {
      // Within a transaction the activity is shown as it was first seen.
      await scene.query('SELECT pg_stat_clear_snapshot()');
      const waiting = await scene.query(
        `SELECT FROM pg_stat_activity WHERE application_name = 'mongo2pg primary' AND datname = current_database()
            AND wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    };
    await waitUntil('the key waits for the lock', isWaiting);
    running.process.kill('SIGTERM');
    assertCode(await ended, 143);
    await scene.query('ROLLBACK');
    const run = await scene.run();
    assertCode(run, 0);
    const keys = await scene.query(
      "SELECT FROM pg_constraint WHERE conrelid = 'things'::regclass AND contype = 'p'",
    );
    assert.equal(keys.length, 1);
    await scene.assertEqual();
  });
});
