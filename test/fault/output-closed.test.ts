import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  cliPath,
  plainPool,
  pool,
  startCli,
  type CliResult,
  type RunningCli,
  type StartOptions,
} from '../support/cli.ts';
import { cleanUp, waitUntil } from '../support/embedded.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { assertCode, setScene, type Scene } from '../support/fault.ts';

/** Every write to it fails as on a full disk. */
const full = '/dev/full';
const withoutFull = existsSync(full) ? false : `this system has no ${full}`;

/** `script` of util-linux gives a terminal that can be closed. */
const withoutTerminal = String(spawnSync('script', ['--version']).stdout).includes('util-linux')
  ? false
  : 'this system has no `script` of util-linux';

describe('output that cannot be written', () => {
  /** Ends a run whose reader closes after the first output. */
  async function leave(scene: Scene, name: 'stdout' | 'stderr', args: string[]): Promise<CliResult> {
    const running = startCli(args, scene.env);
    running.process[name]?.once('data', () => running.process[name]?.destroy());
    return await running.result;
  }

  function startInto(scene: Scene, args: string[], options: StartOptions): RunningCli {
    return startCli(args, { ...scene.env, CLUSTER_IMPLEMENTATION: plainPool }, options);
  }

  for (const [name, args] of [
    ['stdout', ['--json']],
    ['stderr', []],
  ] as const) {
    it(`${name} closed by its reader: the run continues silently, and its exit code reports the result`, async (t) => {
      const scene = await setScene(t, undefined, plainPool);
      const run = await leave(scene, name, [...args]);
      assertCode(run, 0);
      assert.doesNotMatch(run.stderr, /EPIPE|\n\s+at /);
      await scene.assertEqual();
    });
  }

  it('both on a full disk: the run continues silently', { skip: withoutFull }, async (t) => {
    const scene = await setScene(t, 500);
    const file = openSync(full, 'w');
    cleanUp(t, () => {
      closeSync(file);
    });
    assertCode(await startInto(scene, ['--json'], { output: [file, file] }).result, 0);
    await scene.assertEqual();
  });

  for (const [size, isWide, implementation] of [
    ['of 80 columns', true, pool],
    ['that does not know its width', false, plainPool],
  ] as const) {
    it(
      `a terminal ${size} that is closed: the run drains as on SIGTERM, with 129`,
      { skip: withoutTerminal },
      async (t) => {
        const scene = await setScene(t, 20_000, implementation);
        // Far from its end until the terminal is closed.
        const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@20' });
        const folder = await mkdtemp(join(tmpdir(), 'mongo2pg-terminal-'));
        cleanUp(t, () => rm(folder, { recursive: true }));
        const code = join(folder, 'code');
        // A shell forwards the SIGHUP of its terminal.
        const shell = [
          isWide ? 'stty cols 80 rows 24' : 'true',
          `trap 'kill -HUP $pid' HUP`,
          `"${process.execPath}" "${cliPath}" 2>&1 & pid=$!; echo $pid > "${folder}/pid"`,
          'wait $pid',
          `wait $pid; echo $? > "${folder}/code.part"; mv "${folder}/code.part" "${folder}/code"`,
        ].join('\n');
        const terminal = spawn('script', ['-q', '-c', shell, '/dev/null'], {
          env: { PATH: process.env.PATH, SHELL: '/bin/sh', ...scene.env, ...failpoints.env },
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        cleanUp(t, async () => {
          terminal.kill('SIGKILL');
          // For a process that spins instead of ending.
          if (!existsSync(code)) process.kill(Number(await readFile(join(folder, 'pid'), 'utf8')), 'SIGKILL');
        });
        let shown = '';
        for await (const text of terminal.stdout.setEncoding('utf8')) {
          shown += String(text);
          if (shown.includes('documents')) terminal.kill('SIGKILL');
        }
        await failpoints.resume('primary-after-ack');
        await waitUntil('the command has ended', () => Promise.resolve(existsSync(code)));
        assert.equal((await readFile(code, 'utf8')).trim(), '129', shown);
        assertCode(await scene.run(), 0);
        await scene.assertEqual();
      },
    );
  }

  it('an error keeps its exit code when standard error is closed', async (t) => {
    const scene = await setScene(t, 1);
    const running = startInto(scene, ['--mongo-collection', 'nothing'], {});
    running.process.stderr?.destroy();
    assertCode(await running.result, 3);
  });

  it('a plan that is truncated by a full disk is an error', { skip: withoutFull }, async (t) => {
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
