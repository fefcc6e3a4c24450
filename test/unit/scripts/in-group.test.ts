/** A benchmark or a soak that is ended leaves nothing that it has started. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cleanUp, makeDirectory, waitForProcessEnd } from '../../support/embedded.ts';

const command = fileURLToPath(new URL('../../../scripts/in-group.js', import.meta.url));

async function startInGroup(t: TestContext, content: string) {
  const script = join(await makeDirectory(t), 'script.mjs');
  await writeFile(script, content);
  const child = spawn(process.execPath, [command, script, 'given'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  cleanUp(t, async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return { child, exited, lines: createInterface({ input: child.stdout }) };
}

/** Prints its own process id, and that of a process that it has started; neither would ever end. */
const endless = `
import { spawn } from 'node:child_process';
const wait = 'setInterval(() => undefined, 2 ** 30)';
const child = spawn(process.execPath, ['-e', wait], { stdio: 'ignore' });
console.log([process.pid, child.pid].join(' '));
setInterval(() => undefined, 2 ** 30);
`;

describe('a script in a group', () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`that is ended by ${signal} leaves no process`, async (t) => {
      const { child, exited, lines } = await startInGroup(t, endless);
      const [line] = (await once(lines, 'line')) as [string];
      child.kill(signal);
      await exited;
      for (const pid of line.split(' ').map(Number)) await waitForProcessEnd(pid);
    });
  }

  it('gets the arguments after its name, and its exit code is that of the command', async (t) => {
    const { exited, lines } = await startInGroup(t, 'console.log(process.argv[2]); process.exitCode = 3;');
    assert.deepEqual(await once(lines, 'line'), ['given']);
    assert.deepEqual(await exited, [3, null]);
  });
});
