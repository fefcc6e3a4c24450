import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setScene } from '../support/fault.ts';

describe('two runs of the same migration at the same time', () => {
  it('the second is refused, and the first is not affected', async (t) => {
    const scene = await setScene(t);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@10' });
    const first = act(scene.start(failpoints.env), () => undefined);
    await failpoints.waitUntilFired('primary-after-ack');
    // It waits for a while, in which Postgres is working.
    const second = await scene.run({ ANSWER_TIMEOUT_SECONDS: '1' });
    assertCode(second, ExitCode.usage);
    assert.match(second.stderr, /another run is loading the table "public"\."things" \(from /);
    await failpoints.resume('primary-after-ack');
    assertCode(await first, 0);
    await scene.assertEqual();
  });

  it('a primary that was suspended while another took over ends with an error, and duplicates nothing', async (t) => {
    const scene = await setScene(t);
    // Of the first, a worker waits with a batch that it has not claimed yet, and the primary is stopped.
    const failpoints = await setFailpoints(t, { 'worker-before-claim': 'pause@8' });
    const running = scene.start({ ...failpoints.env, ANSWER_TIMEOUT_SECONDS: '600' });
    const first = act(running, () => undefined);
    await failpoints.waitUntilFired('worker-before-claim');
    running.process.kill('SIGSTOP');
    await scene.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mongo2pg primary' AND datname = current_database()",
    );
    // The worker's transaction has begun, and holds no lock yet.
    const second = await scene.run();
    assertCode(second, 0);
    await scene.assertEqual();
    await failpoints.resume('worker-before-claim');
    running.process.kill('SIGCONT');
    const result = await first;
    assertCode(result, ExitCode.target);
    assert.match(result.stderr, /another process has taken this run over/);
    await scene.assertEqual();
  });
});
