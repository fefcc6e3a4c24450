import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { everyPool } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, crashAction, setScene, lacksSeparateWorkers, type Scene } from '../support/fault.ts';

const marker = 'ends every worker that looks at it';
const hex = Buffer.from(marker).toString('hex');

async function poison(scene: Scene, ids: readonly number[]): Promise<void> {
  for (const id of ids) {
    await scene.collection.deleteOne({ _id: id as never });
    await scene.collection.insertOne({ _id: id as never, text: marker, even: false });
  }
}

async function assertLetters(scene: Scene, ids: readonly number[]): Promise<void> {
  const letters = await scene.query<{ id: string; reason: string }>(
    'SELECT document_id AS id, reason FROM mongo2pg.dead_letters ORDER BY range_no, batch, ordinal',
  );
  assert.deepEqual(
    letters,
    ids.map((id) => ({ id: `{"$numberInt":"${id}"}`, reason: 'worker_died' })),
  );
  await scene.assertEqual({ deadLetters: ids });
}

describe('a document that crashes workers', () => {
  for (const implementation of everyPool) {
    const skip = lacksSeparateWorkers(implementation);
    it(
      `by a crash (${implementation}): it is found and becomes a dead letter, and the run continues`,
      { skip },
      async (t) => {
        const scene = await setScene(t, 1_000, implementation);
        await poison(scene, [437]);
        const failpoints = await setFailpoints(t, { 'worker-transcode': `kill?${hex}x*` });
        // One range: where the slowest is split, its last batch is short.
        const run = await scene.run({ ...failpoints.env, READ_RANGES: '1' });
        assertCode(run, ExitCode.deadLetters);
        assert.match(run.notices, /\(50 documents\) crashes workers and is bisected/);
        assert.match(run.notices, /document \d+ of range \d+ crashes workers and becomes a dead letter/);
        await assertLetters(scene, [437]);
      },
    );

    it(`by an unexpected error (${implementation})`, async (t) => {
      const scene = await setScene(t, 200, implementation);
      await poison(scene, [7]);
      const failpoints = await setFailpoints(t, { 'worker-transcode': `error?${hex}x*` });
      const run = await scene.run(failpoints.env);
      assertCode(run, ExitCode.deadLetters);
      assert.match(run.notices, /ended with exit code 1 \(Error: failpoint worker-transcode/);
      await assertLetters(scene, [7]);
    });
  }

  it('two of them in one batch, as its first and last document', async (t) => {
    const scene = await setScene(t, 200);
    await poison(scene, [50, 99]);
    const failpoints = await setFailpoints(t, { 'worker-transcode': `${crashAction}?${hex}x*` });
    assertCode(await scene.run(failpoints.env), ExitCode.deadLetters);
    await assertLetters(scene, [50, 99]);
  });

  it('is loaded by retry once it no longer crashes workers', async (t) => {
    const scene = await setScene(t, 100);
    await poison(scene, [3]);
    const failpoints = await setFailpoints(t, { 'worker-transcode': `${crashAction}?${hex}x*` });
    assertCode(await scene.run(failpoints.env), ExitCode.deadLetters);
    assertCode(await scene.run({}, 'retry'), ExitCode.ok);
    await scene.assertEqual();
  });
});
