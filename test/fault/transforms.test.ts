/** Errors of a transform, or of its file, during a run. */

import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { everyPool, plainPool } from '../support/cli.ts';
import { cleanUp } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import {
  assertCode,
  setScene,
  lacksSeparateWorkers,
  lacksWorkerProcess,
  type Scene,
} from '../support/fault.ts';
import { ModuleFiles } from '../support/module-files.ts';

/** Half of it limits a call. Long enough for heartbeats of healthy workers on a busy machine. */
const timeout = { WORKER_TIMEOUT_SECONDS: '10' };

async function makeModules(t: TestContext): Promise<ModuleFiles> {
  const modules = await ModuleFiles.create();
  cleanUp(t, () => modules.remove());
  return modules;
}

async function assertLetter(scene: Scene, id: number, reason: string): Promise<void> {
  const letters = await scene.query('SELECT document_id AS id, reason FROM mongo2pg.dead_letters');
  assert.deepEqual(letters, [{ id: `{"$numberInt":"${id}"}`, reason }]);
  await scene.assertEqual({ deadLetters: [id] });
}

describe('a transform', { concurrency: 4 }, () => {
  for (const implementation of everyPool) {
    it(`that does not end is terminated: the document becomes a dead letter, and no worker is killed (${implementation})`, async (t) => {
      const scene = await setScene(t, 300, implementation);
      const modules = await makeModules(t);
      const TRANSFORM = await modules.write(
        'loop.mjs',
        // Asleep most of the time: all these seconds of a core would be missing elsewhere.
        `const nobody = new Int32Array(new SharedArrayBuffer(4));
         export default (document) => { while (document._id === 137) Atomics.wait(nobody, 0, 0, 20); return document; };`,
      );
      const run = await scene.run({ TRANSFORM, ...timeout });
      assertCode(run, ExitCode.deadLetters);
      assert.doesNotMatch(run.notices, /killed/);
      assert.equal(run.summary?.deadLetterReasons[0]?.example, 'the transform did not end within 5 s');
      await assertLetter(scene, 137, 'transform_timeout');
    });

    it(
      `that crashes its worker: the document is found and becomes a dead letter (${implementation})`,
      { skip: lacksSeparateWorkers(implementation) },
      async (t) => {
        const scene = await setScene(t, 150, implementation);
        const modules = await makeModules(t);
        const TRANSFORM = await modules.write(
          'exit.mjs',
          'export default (document) => { if (document._id === 137) process.exit(7); return document; };',
        );
        const run = await scene.run({ TRANSFORM, ITEMS_PER_PAGE: '8', PLAN: await planOf(modules) });
        assertCode(run, ExitCode.deadLetters);
        assert.match(run.notices, /document \d+ of range \d+ crashes workers and becomes a dead letter/);
        await assertLetter(scene, 137, 'worker_died');
      },
    );
  }

  it(
    'is called again by another worker when one is killed during the call',
    { skip: lacksWorkerProcess },
    async (t) => {
      const scene = await setScene(t, 1_000);
      const modules = await makeModules(t);
      const flag = `${modules.folder}/killed`;
      const TRANSFORM = await modules.write(
        'killed.mjs',
        `import { existsSync, writeFileSync } from 'node:fs';
       export default (document) => {
         if (document._id === 500 && !existsSync(${JSON.stringify(flag)})) {
           writeFileSync(${JSON.stringify(flag)}, '');
           process.kill(process.pid, 'SIGKILL');
         }
         return document;
       };`,
      );
      const run = await scene.run({ TRANSFORM, PLAN: await planOf(modules) });
      assertCode(run, 0);
      assert.match(run.notices, /ended by SIGKILL/);
      await scene.assertEqual();
    },
  );
});

/** With a plan no document is read before the workers get it. */
async function planOf(modules: ModuleFiles): Promise<string> {
  const columns = [
    { column: '_id', path: '_id', type: 'int32' },
    { column: 'text', path: 'text', type: 'string' },
    { column: 'even', path: 'even', type: 'boolean' },
  ];
  return await modules.write('plan.json', JSON.stringify({ columns }));
}

describe('an unfinished run with a transform', () => {
  const text = 'export default (document) => document;';

  async function setUnfinished(
    t: TestContext,
  ): Promise<{ scene: Scene; modules: ModuleFiles; TRANSFORM: string }> {
    const scene = await setScene(t, undefined, plainPool);
    const modules = await makeModules(t);
    const TRANSFORM = await modules.write('one.mjs', text);
    const failpoints = await setFailpoints(t, { 'primary-after-ack': 'kill@20' });
    assert.equal((await scene.run({ ...failpoints.env, TRANSFORM })).signal, 'SIGKILL');
    return { scene, modules, TRANSFORM };
  }

  it('is resumed with the same, also if its file was moved, and verify finds it there', async (t) => {
    const { scene, modules, TRANSFORM } = await setUnfinished(t);
    const moved = `${modules.folder}/moved.mjs`;
    await rename(TRANSFORM, moved);
    assertCode(await scene.run({ TRANSFORM: moved }), 0);
    await scene.assertEqual();
    assertCode(await scene.run({}, 'verify'), 0);
    await rename(moved, TRANSFORM);
    const missing = await scene.run({}, 'verify');
    assertCode(missing, ExitCode.usage);
    assert.match(missing.stderr, /moved\.mjs cannot be read \(ENOENT\)/);
    assertCode(await scene.run({ TRANSFORM }, 'verify'), 0);
    await modules.write('one.mjs', `${text} // changed`);
    const changed = await scene.run({ TRANSFORM }, 'verify');
    assertCode(changed, ExitCode.usage);
    assert.match(changed.stderr, /is not the one that the run was begun with — restore the file/);
    assertCode(await scene.run({ TRANSFORM }, 'retry'), ExitCode.usage);
  });

  it('is not resumed with another, or without one', async (t) => {
    const { scene, modules, TRANSFORM } = await setUnfinished(t);
    const other = await modules.write('other.mjs', 'export default (document) => null;');
    const refused = await scene.run({ TRANSFORM: other });
    assertCode(refused, ExitCode.usage);
    assert.match(
      refused.stderr,
      /TRANSFORM was a file of the hash \w+ and is now a file of the hash \w+ — continue/,
    );
    const without = await scene.run();
    assertCode(without, ExitCode.usage);
    assert.match(without.stderr, /TRANSFORM was a file of the hash \w+ and is now not set/);
    assertCode(await scene.run({ TRANSFORM }), 0);
    await scene.assertEqual();
  });
});
