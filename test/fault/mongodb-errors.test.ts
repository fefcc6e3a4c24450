import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { plainPool } from '../support/cli.ts';
import { takeFailCommand } from '../support/fail-command.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type FaultRun, type Scene } from '../support/fault.ts';

/** During the run, `times` of the command's own finds fail. */
async function runFailing(
  t: TestContext,
  scene: Scene,
  times: number,
  data: Record<string, unknown>,
): Promise<FaultRun> {
  const failCommand = await takeFailCommand(t, `faults ${scene.env.MONGO_DB ?? ''}`);
  const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@10' });
  const running = scene.run({ ...failpoints.env, MONGO_URL: failCommand.url });
  await failpoints.waitUntilFired('primary-after-ack');
  await failCommand.set({ times }, { failCommands: ['find'], ...data });
  await failpoints.resume('primary-after-ack');
  const run = await running;
  assert.equal(await failCommand.turnOff(), times, 'the finds have failed');
  return run;
}

describe('MongoDB answers a page with an error', () => {
  for (const [what, data] of [
    ['the primary has stepped down', { errorCode: 10107 }],
    ['the time is exceeded', { errorCode: 50 }],
    ['the cursor was killed', { errorCode: 237 }],
    ['the server is shutting down', { errorCode: 11600 }],
    ['the connection is closed', { closeConnection: true }],
  ] as const) {
    it(`${what}: the page is read again`, async (t) => {
      const scene = await setScene(t, undefined, plainPool);
      const run = await runFailing(t, scene, 3, data);
      assertCode(run, 0);
      assert.match(run.notices, /retrying MongoDB/);
      await scene.assertEqual();
    });
  }

  it('a permanent error (not authorised): the run stops immediately, and the same command resumes', async (t) => {
    const scene = await setScene(t, undefined, plainPool);
    const run = await runFailing(t, scene, 1, { errorCode: 13 });
    assertCode(run, ExitCode.source);
    assert.doesNotMatch(run.notices, /tried again/);
    assert.match(run.stderr, /the user needs the role `read`.*the same command resumes/);
    const second = await scene.run();
    assertCode(second, 0);
    await scene.assertEqual();
  });
});
