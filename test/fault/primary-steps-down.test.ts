import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { cleanUp } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setSceneOn, type FaultRun, type Scene } from '../support/fault.ts';
import { findMongod, lacksMongod } from '../support/mongod.ts';
import { startReplicaSet, type ReplicaSet } from '../support/replica-set.ts';
import { createSandbox } from '../support/servers.ts';

/** Enough for the run to be active at each of the pauses. */
const documents = 6_000;

describe('a replica set of three', { skip: lacksMongod() }, () => {
  let set: ReplicaSet;
  before(async () => {
    const mongod = findMongod() ?? assert.fail('there is a mongod');
    set = await startReplicaSet(mongod);
  });
  after(() => set.stop());

  async function setScene(t: TestContext, readPreference = 'primary'): Promise<Scene> {
    const sandbox = await createSandbox();
    cleanUp(t, () => sandbox.remove());
    return await setSceneOn(
      t,
      {
        // Every member has all of them.
        mongoUrl: `${set.url}&w=3`,
        commandMongoUrl: `${set.url}&readPreference=${readPreference}`,
        postgresUrl: sandbox.postgresUrl,
      },
      documents,
    );
  }

  /** At each of three moments in the run it waits until the event is over. */
  async function runWith(
    t: TestContext,
    scene: Scene,
    events: readonly (() => Promise<unknown>)[],
    args: readonly string[] = [],
  ): Promise<FaultRun> {
    const failpoints = await setFailpoints(t, {
      'primary-after-ack': 'pause@10',
      'worker-before-claim': 'pause@30x*',
      'worker-before-ack': 'pause@60x*',
    });
    const running = scene.run({ ...failpoints.env, READ_RANGES: '4' }, ...args);
    const moments = ['primary-after-ack', 'worker-before-claim', 'worker-before-ack'] as const;
    for (const [index, moment] of moments.entries()) {
      await failpoints.waitUntilFired(moment);
      await events[index]?.();
      await failpoints.resume(moment);
    }
    return await running;
  }

  it('its primary steps down three times in a run: the four readers continue', async (t) => {
    const scene = await setScene(t);
    const run = await runWith(t, scene, [set.stepDown, set.stepDown, set.stepDown]);
    assertCode(run, 0);
    await scene.assertEqual();
  });

  it('its primary is killed: the next one is read, and the first again when it has restarted and the next steps down', async (t) => {
    const scene = await setScene(t);
    let start: (() => Promise<void>) | undefined;
    cleanUp(t, () => start?.());
    const kill = async (): Promise<void> => {
      start = await set.killPrimary();
    };
    const run = await runWith(t, scene, [kill, async () => start?.(), set.stepDown]);
    // Whether a retry is reported depends on the driver: it may have waited for the next primary.
    assertCode(run, 0);
    await scene.assertEqual();
  });

  it('is read from its secondaries, while its primary changes', async (t) => {
    const scene = await setScene(t, 'secondary');
    assertCode(await runWith(t, scene, [set.stepDown, set.stepDown, set.stepDown]), 0);
    await scene.assertEqual();
  });

  it('its primary steps down while it is verified: no difference is found', async (t) => {
    const scene = await setScene(t);
    assertCode(await scene.run(), 0);
    const failpoints = await setFailpoints(t, { 'worker-before-ack': 'pause@10x*' });
    const verifying = scene.run({ ...failpoints.env }, 'verify');
    await failpoints.waitUntilFired('worker-before-ack');
    await set.stepDown();
    await failpoints.resume('worker-before-ack');
    assertCode(await verifying, 0);
  });
});
