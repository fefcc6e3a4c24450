import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { ExitCode } from '../../src/errors.ts';
import { cleanUp } from '../support/embedded.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';
import { mongoUrl } from '../support/servers.ts';

/** Only the command's own finds fail: it connects under a name of the test's. */
async function runFailing(
  t: Parameters<typeof setScene>[0],
  scene: Scene,
  data: Record<string, unknown>,
  env: Record<string, string> = {},
) {
  const appName = `faults ${scene.env.MONGO_DB ?? ''}`;
  const client = await MongoClient.connect(mongoUrl);
  cleanUp(t, () => client.close());
  const configure = (mode: unknown) =>
    client.db('admin').command({
      configureFailPoint: 'failCommand',
      mode,
      data: { failCommands: ['find'], appName, ...data },
    });
  // Two more than there are before the first page, so that it hits in mid-run.
  await configure({ skip: 5 });
  const url = new URL(mongoUrl);
  url.searchParams.set('appName', appName);
  const timesUp = setTimeout(() => void configure('off'), 1_000);
  try {
    const run = await scene.run({ MONGO_URL: url.href, ...env });
    const before = (await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' })) as {
      count?: number;
    };
    return { run, before };
  } finally {
    clearTimeout(timesUp);
  }
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
      const scene = await setScene(t);
      const { run } = await runFailing(t, scene, data);
      assertCode(run, 0);
      assert.match(run.notices, /MongoDB is tried again/);
      await scene.assertEqual();
    });
  }

  it('that does not pass (not authorised): the run stops at once, and the same command goes on', async (t) => {
    const scene = await setScene(t);
    const { run } = await runFailing(t, scene, { errorCode: 13 });
    assertCode(run, ExitCode.source);
    assert.doesNotMatch(run.notices, /tried again/);
    assert.match(run.stderr, /grant the user the role `read`.*the same command goes on/);
    const second = await scene.run();
    assertCode(second, 0);
    await scene.assertEqual();
  });
});
