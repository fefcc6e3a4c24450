/** How many workers and connections CLUSTER_SIZE=auto chooses. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { describeSummary } from '../../../src/cli/text/summary.ts';
import { ExitCode } from '../../../src/common/errors.ts';
import { cleanUp } from '../../support/embedded.ts';
import { setFailpoints } from '../../support/failpoints.ts';
import { act, assertCode, makeWorthFork, setScene, setSceneOn, type FaultRun } from '../../support/fault.ts';
import { createSandbox, mongoUrl } from '../../support/servers.ts';
import { startProxy } from '../../support/tcp-proxy.ts';

const auto = { CLUSTER_SIZE: 'auto', CLUSTER_IMPLEMENTATION: 'cluster' } as const;

/** The workers that have loaded something. */
function idsOf({ summary }: FaultRun): string[] {
  return summary?.measurement.workers.filter(({ batches }) => batches > 0).map(({ id }) => id) ?? [];
}

describe('CLUSTER_SIZE=auto', () => {
  it('forks nothing for a small collection, and says so', async (t) => {
    const scene = await setScene(t, 1_000);
    const workers: string[] = [];
    const run = await act(scene.start(auto), (event) => {
      if (event.kind === 'started') workers.push(...event.workerIds);
    });
    assertCode(run, ExitCode.ok);
    assert.ok(run.summary !== undefined);
    assert.match(workers.join(), /^\d+\/inline-1$/);
    assert.deepEqual(idsOf(run), workers);
    assert.match(
      describeSummary(run.summary),
      /CLUSTER_SIZE=auto: 1 worker with \d+ connections?; so little work is loaded without forking/,
    );
    await scene.assertEqual();
    // Comparing is sized in the same way.
    const verified = await act(scene.start(auto, 'verify'), (event) => {
      assert.notEqual(event.kind, 'worker-died');
    });
    assertCode(verified, ExitCode.ok);
  });

  it('resumes a run whose primary a document has crashed with a forked worker, which finds it', async (t) => {
    const scene = await setScene(t, 100);
    const marker = 'ends whoever looks at it';
    await scene.collection.insertOne({ _id: 1000 as never, text: marker, even: true });
    const hex = Buffer.from(marker).toString('hex');
    const failpoints = await setFailpoints(t, { 'worker-transcode': `kill?${hex}x*` });
    assert.equal((await scene.run({ ...failpoints.env, ...auto })).signal, 'SIGKILL');
    const run = await scene.run({ ...failpoints.env, ...auto });
    assertCode(run, ExitCode.deadLetters);
    assert.match(run.notices, /document \d+ of range \d+ crashes workers and becomes a dead letter/);
    assert.ok(
      idsOf(run).every((id) => /^\d+$/.test(id)),
      idsOf(run).join(),
    );
    await scene.assertEqual({ deadLetters: [1000] });
  });

  it('forks one worker of several connections for more near Postgres', async (t) => {
    const scene = await setScene(t, 3_000);
    await makeWorthFork(scene);
    const run = await scene.run(auto);
    assertCode(run, ExitCode.ok);
    assert.equal(run.summary?.workers, 1, 'little is left that another would be worth');
    assert.ok(run.summary.connections >= 2);
    assert.match(idsOf(run).join(), /^\d+$/, 'nothing is loaded in the primary');
    await scene.assertEqual();
  });

  it('opens more connections if Postgres is far away, and says why', async (t) => {
    const sandbox = await createSandbox();
    cleanUp(t, () => sandbox.remove());
    const { postgresUrl } = sandbox;
    const proxy = await startProxy({ port: Number(new URL(postgresUrl).port), latencyMs: 30 });
    cleanUp(t, () => proxy.close());
    const urls = { mongoUrl, postgresUrl, commandPostgresUrl: proxy.url(postgresUrl) };
    const scene = await setSceneOn(t, urls, 6_000);
    await makeWorthFork(scene);
    const run = await scene.run({ ...auto, ITEMS_PER_PAGE: '50' });
    assertCode(run, ExitCode.ok);
    // As many as helped, which depends on the load of the machine.
    assert.ok((run.summary?.connections ?? 0) >= 4, run.summary?.sizing ?? '');
    assert.match(run.summary?.sizing ?? '', /PostgreSQL(?: is|,) \d+ ms away/);
    await scene.assertEqual();
  });

  it('is not applied if the setting is a number', async (t) => {
    const scene = await setScene(t, 200);
    const size = String(availableParallelism() + 1);
    const run = await scene.run({ ...auto, CLUSTER_SIZE: size });
    assertCode(run, ExitCode.ok);
    assert.ok(run.summary !== undefined);
    assert.deepEqual([run.summary.workers, run.summary.connections], [Number(size), 1]);
    assert.equal(run.summary.sizing, null);
    assert.doesNotMatch(describeSummary(run.summary), /CLUSTER_SIZE/);
  });
});
