import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { plainPool } from '../support/cli.ts';
import { cleanUp, waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { act, assertCode, setSceneOn } from '../support/fault.ts';
import { withShortSelection } from '../support/mongo-url.ts';
import { startPrivateMongo, type PrivateMongo } from '../support/private-servers.ts';
import { createSandbox } from '../support/servers.ts';
import { startProxy } from '../support/tcp-proxy.ts';

describe('MongoDB', () => {
  let mongo: PrivateMongo;
  before(async () => {
    mongo = await startPrivateMongo();
  });
  after(async () => {
    await mongo.remove();
  });

  async function setSceneBehindProxy(t: Parameters<typeof setSceneOn>[0]) {
    const sandbox = await createSandbox();
    cleanUp(t, () => sandbox.remove());
    const proxy = await startProxy({ port: mongo.port });
    cleanUp(t, () => proxy.close());
    const servers = {
      mongoUrl: mongo.url,
      postgresUrl: sandbox.postgresUrl,
      commandMongoUrl: proxy.url(mongo.url),
    };
    const scene = await setSceneOn(t, servers, undefined, plainPool);
    return { scene, proxy };
  }

  it('its connections cut during the run: the page is read again', async (t) => {
    const { scene, proxy } = await setSceneBehindProxy(t);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@10' });
    const running = scene.run(failpoints.env);
    await failpoints.waitUntilFired('primary-after-ack');
    const isCut = proxy.cutAt('singleBatch');
    await failpoints.resume('primary-after-ack');
    await isCut;
    const run = await running;
    assertCode(run, 0);
    assert.match(run.notices, /retrying MongoDB/);
    await scene.assertEqual();
  });

  it('half-open connections: after ANSWER_TIMEOUT_SECONDS a new one is opened', async (t) => {
    const { scene, proxy } = await setSceneBehindProxy(t);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@10' });
    const running = scene.run({ ...failpoints.env, ANSWER_TIMEOUT_SECONDS: '1' });
    await failpoints.waitUntilFired('primary-after-ack');
    proxy.goSilent();
    await proxy.restore();
    await failpoints.resume('primary-after-ack');
    const run = await running;
    assertCode(run, 0);
    assert.match(run.notices, /retrying MongoDB \(.*timed out/);
    await scene.assertEqual();
  });

  for (const mode of ['fast', 'kill'] as const) {
    it(`stopped (${mode}) and restarted during the run: the page is read again`, async (t) => {
      const { scene } = await setSceneBehindProxy(t);
      const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@10' });
      let isTriedAgain = false;
      const started = scene.start({ ...failpoints.env, MONGO_URL: withShortSelection(scene.env.MONGO_URL) });
      const running = act(started, (event) => {
        isTriedAgain ||= event.kind === 'retried' && event.server === 'mongodb';
      });
      await failpoints.waitUntilFired('primary-after-ack');
      await mongo.stop(mode);
      await failpoints.resume('primary-after-ack');
      // It is down until a page was requested.
      await waitUntil('a page is tried again', () => Promise.resolve(isTriedAgain));
      await mongo.start();
      assertCode(await running, 0);
      await scene.assertEqual();
    });
  }

  it('down for longer than RETRY_SECONDS: the run stops, and the same command resumes', async (t) => {
    const { scene } = await setSceneBehindProxy(t);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@10' });
    const env = { ...failpoints.env, MONGO_URL: withShortSelection(scene.env.MONGO_URL), RETRY_SECONDS: '1' };
    const running = scene.run(env);
    await failpoints.waitUntilFired('primary-after-ack');
    await mongo.stop();
    await failpoints.resume('primary-after-ack');
    const run = await running;
    assertCode(run, ExitCode.source);
    assert.match(
      run.stderr,
      /MongoDB at 127\.0\.0\.1:\d+.*documents are committed; the same command resumes/,
    );
    await mongo.start();
    const second = await scene.run();
    assertCode(second, 0);
    assert.match(second.notices, /continuing run 1/);
    await scene.assertEqual();
  });
});
