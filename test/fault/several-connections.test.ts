/** A worker crashes with several batches in flight. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, crashAction, makeWorthFork, setScene, lacksWorkerProcess } from '../support/fault.ts';

const auto = { CLUSTER_SIZE: 'auto' } as const;

describe('a worker with several connections', () => {
  it('crashes with one batch committed and another not: each is loaded once', async (t) => {
    const scene = await setScene(t, 2_000);
    await makeWorthFork(scene);
    const failpoints = await setFailpoints(t, {
      // One connection is paused forever, the other continues …
      'worker-before-commit': 'pause@3',
      // … until the worker crashes between a COMMIT and its ack.
      'worker-before-ack': `${crashAction}@5`,
    });
    const run = await scene.run({ ...failpoints.env, ...auto });
    assertCode(run, ExitCode.ok);
    assert.match(run.notices, /a replacement is started/);
    const { duplicates = 0, workers, connections = 0 } = run.summary ?? {};
    assert.equal(workers, 1);
    assert.ok(connections >= 2);
    assert.ok(duplicates >= 1, 'the ledger answers for the batch that was committed');
    assert.ok(duplicates < connections, 'and not for the one that was not');
    await scene.assertEqual();
  });

  it('is killed with two transactions open', { skip: lacksWorkerProcess }, async (t) => {
    const scene = await setScene(t, 2_000);
    await makeWorthFork(scene);
    const failpoints = await setFailpoints(t, { 'worker-before-commit': 'pause@3x2' });
    const running = scene.run({ ...failpoints.env, ...auto });
    const pid = await failpoints.waitUntilFired('worker-before-commit', 2);
    assert.equal(await failpoints.waitUntilFired('worker-before-commit', 1), pid, 'both are of one worker');
    process.kill(pid, 'SIGKILL');
    const run = await running;
    assertCode(run, ExitCode.ok);
    assert.match(run.notices, /a replacement is started/);
    await scene.assertEqual();
  });

  it('crashes at a document, which is found among all that it held', async (t) => {
    const scene = await setScene(t, 1_000);
    const marker = 'ends every worker that looks at it';
    await scene.collection.deleteOne({ _id: 437 as never });
    await scene.collection.insertOne({ _id: 437 as never, text: marker, even: false });
    await makeWorthFork(scene);
    const hex = Buffer.from(marker).toString('hex');
    const failpoints = await setFailpoints(t, { 'worker-transcode': `${crashAction}?${hex}x*` });
    // One range: where the slowest is split, its last batch is short.
    const run = await scene.run({ ...failpoints.env, ...auto, READ_RANGES: '1' });
    assertCode(run, ExitCode.deadLetters);
    await scene.assertEqual({ deadLetters: [437] });
    // Only this batch was split, however many its workers held.
    const split = [...run.notices.matchAll(/batch (\d+) of range (\d+) \(50 documents\) crashes workers/g)];
    assert.equal(split.length, 1, run.notices);
  });
});
