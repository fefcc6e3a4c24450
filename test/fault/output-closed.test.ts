import assert from 'node:assert/strict';
import { closeSync, existsSync, openSync } from 'node:fs';
import { describe, it } from 'node:test';
import { startCli, type CliResult, type RunningCli, type StartOptions } from '../support/cli.ts';
import { cleanUp } from '../support/embedded.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';

/** Takes every write for one on a full disk. */
const full = '/dev/full';
const withoutFull = existsSync(full) ? false : `this system has no ${full}`;

describe('output that nobody takes any more', () => {
  /** Ends a run whose reader goes after the first that it hears. */
  async function leave(scene: Scene, name: 'stdout' | 'stderr', args: string[]): Promise<CliResult> {
    const running = startCli(args, scene.env);
    running.process[name]?.once('data', () => running.process[name]?.destroy());
    return await running.result;
  }

  function startInto(scene: Scene, args: string[], options: StartOptions): RunningCli {
    return startCli(args, { ...scene.env, CLUSTER_IMPLEMENTATION: 'inline' }, options);
  }

  for (const [name, args] of [
    ['stdout', ['--json']],
    ['stderr', []],
  ] as const) {
    it(`${name} closed by its reader: the run goes on quietly, and its code tells how it went`, async (t) => {
      const scene = await setScene(t);
      const run = await leave(scene, name, [...args]);
      assertCode(run, 0);
      assert.doesNotMatch(run.stderr, /EPIPE|\n\s+at /);
      await scene.assertEqual();
    });
  }

  it('both on a full disk: the run goes on quietly', { skip: withoutFull }, async (t) => {
    const scene = await setScene(t, 500);
    const file = openSync(full, 'w');
    cleanUp(t, () => {
      closeSync(file);
    });
    assertCode(await startInto(scene, ['--json'], { output: [file, file] }).result, 0);
    await scene.assertEqual();
  });

  it('an error, with standard error closed, keeps its code', async (t) => {
    const scene = await setScene(t, 1);
    const running = startInto(scene, ['--mongo-collection', 'nothing'], {});
    running.process.stderr?.destroy();
    assertCode(await running.result, 3);
  });

  it('a plan that a full disk cuts short is no plan', { skip: withoutFull }, async (t) => {
    const scene = await setScene(t, 1);
    const file = openSync(full, 'w');
    cleanUp(t, () => {
      closeSync(file);
    });
    const run = await startInto(scene, ['plan'], { output: [file, 'pipe'] }).result;
    assertCode(run, 2);
    assert.match(
      run.stderr,
      /error: the plan could not be written to standard output \(ENOSPC\) — choose a file/,
    );
    assert.doesNotMatch(run.stderr, /\n\s+at /);
  });
});
