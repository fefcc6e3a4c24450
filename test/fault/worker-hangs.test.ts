import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { everyPool, processesOf } from '../support/cli.ts';
import { waitForProcessEnd } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene, lacksSeparateWorkers, lacksWorkerProcess } from '../support/fault.ts';

// Long enough for heartbeats of healthy workers on a busy machine: one that is killed by mistake would be reported too.
const timeout = { WORKER_TIMEOUT_SECONDS: '10' };

// They wait for a timeout, so they run in parallel.
describe('a worker that sends no heartbeat', { concurrency: 4 }, () => {
  for (const implementation of everyPool) {
    const skip = lacksSeparateWorkers(implementation);
    it(
      `because it is in an endless loop (${implementation}): it is killed and replaced`,
      { skip },
      async (t) => {
        const scene = await setScene(t, 3_000, implementation);
        const failpoints = await setFailpoints(t, { 'worker-transcode': 'hang@5' });
        const run = await scene.run({ ...failpoints.env, ...timeout });
        assertCode(run, 0);
        assert.equal(await failpoints.countFirings('worker-transcode'), 1);
        assert.match(run.notices, /worker [\d/]+ sent no heartbeat and was killed/);
        await scene.assertEqual();
      },
    );
  }

  it('because it is stopped: the same', { skip: lacksWorkerProcess }, async (t) => {
    const scene = await setScene(t);
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@5' });
    const running = scene.run({ ...failpoints.env, ...timeout });
    const victim = await failpoints.waitUntilFired('worker-before-commit');
    process.kill(victim, 'SIGSTOP');
    const run = await running;
    assertCode(run, 0);
    assert.match(run.notices, new RegExp(`worker ${victim} sent no heartbeat and was killed`));
    await waitForProcessEnd(victim);
    await scene.assertEqual();
  });

  it(
    'after the load, when it should exit: it is killed, and the run succeeds',
    { skip: lacksWorkerProcess },
    async (t) => {
      const scene = await setScene(t);
      const failpoints = await setFailpoints(t, { 'primary-before-load-checkpoint': 'pause' });
      let victim = 0;
      const running = act(scene.start(failpoints.env), (event) => {
        if (event.kind === 'started') victim = processesOf(event)[0] ?? 0;
      });
      await failpoints.waitUntilFired('primary-before-load-checkpoint');
      process.kill(victim, 'SIGSTOP');
      await failpoints.resume('primary-before-load-checkpoint');
      const run = await running;
      assertCode(run, 0);
      assert.match(run.notices, new RegExp(`worker ${victim} did not exit within 10 s and is killed`));
      await waitForProcessEnd(victim);
      await scene.assertEqual();
    },
  );
});
