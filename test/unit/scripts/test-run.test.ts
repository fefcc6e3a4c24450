/** Whoever ends the command that runs the tests ends the tests too. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { unlessCode } from '../../../src/common/fs-errors.ts';
import { cleanUp, makeDirectory, waitForProcessEnd, waitUntil } from '../../support/embedded.ts';

const runModule = new URL('../../../scripts/test-run.js', import.meta.url).href;

/** A test that never ends, with a process of its own, which would not end either; it writes down both and the runner. */
const endless = `
import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
it('never ends', async () => {
  const wait = 'setInterval(() => undefined, 2 ** 30)';
  const child = spawn(process.execPath, ['-e', wait], { stdio: 'ignore' });
  writeFileSync('begun', [process.ppid, process.pid, child.pid].join(' '));
  renameSync('begun', 'pids');
  await new Promise(() => setInterval(() => undefined, 2 ** 30));
});
`;

/** Runs the file as `npm test` does. */
async function startTests(t: TestContext, content: string) {
  const folder = await makeDirectory(t);
  const file = join(folder, 'some.test.mjs');
  await writeFile(file, content);
  const code = `import { runTestFiles } from ${JSON.stringify(runModule)};
    process.exitCode = await runTestFiles(${JSON.stringify([file])}, { mongoUrl: '', postgresUrl: '' }, [], []);`;
  // A runner in a test would run nothing.
  // One that is killed leaves its temporary files.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, TMPDIR: folder };
  const command = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(command, 'exit') as Promise<[number | null, string | null]>;
  cleanUp(t, async () => {
    command.kill('SIGKILL');
    await exited;
  });
  return { command, exited, pids: () => unlessCode(readFile(join(folder, 'pids'), 'utf8'), 'ENOENT') };
}

describe('a run of the tests', () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const) {
    it(`that is ended by ${signal} leaves no process`, async (t) => {
      const { command, exited, pids } = await startTests(t, endless);
      await waitUntil('the test has begun', async () => (await pids()) !== undefined);
      command.kill(signal);
      assert.deepEqual(await exited, signal === 'SIGKILL' ? [null, signal] : [1, null]);
      const all = ((await pids()) ?? '').split(' ').map(Number);
      assert.equal(all.length, 3);
      for (const pid of all) await waitForProcessEnd(pid);
    });
  }

  it('has the exit code of its runner', async (t) => {
    const failing = "import { it } from 'node:test'; it('fails', () => { throw new Error(); });";
    assert.deepEqual(await (await startTests(t, failing)).exited, [1, null]);
    const passing = "import { it } from 'node:test'; it('passes', () => undefined);";
    assert.deepEqual(await (await startTests(t, passing)).exited, [0, null]);
  });
});
