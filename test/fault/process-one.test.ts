/** The command as process 1 of a container: no other process forwards signals or reaps processes. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { it } from 'node:test';
import { ExitCode } from '../../src/common/errors.ts';
import { cliPath, readEvents } from '../support/cli.ts';
import { setFailpoints } from '../support/failpoints.ts';
import { killInTime, setScene } from '../support/fault.ts';

const program = 'unshare';
const newNamespaceArgs = ['--pid', '--fork', '--mount-proc', '--kill-child'];

async function readChildren(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text
    .split(' ')
    .filter((word) => word.trim() !== '')
    .map(Number);
}

async function listZombies(parent: number): Promise<string[]> {
  const zombies: string[] = [];
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' && Number(ppid) === parent) zombies.push(name);
  }
  return zombies;
}

it('as process 1 it reaps a worker that dies, and stops gracefully at SIGTERM', async (t) => {
  const tried = spawnSync(program, [...newNamespaceArgs, 'true']);
  if (tried.status !== 0) {
    t.skip('this user cannot make a namespace of processes (unshare --pid)');
    return;
  }
  const scene = await setScene(t, 3_000, 'cluster');
  const failpoints = await setFailpoints(t, { 'primary-after-ack': 'pause@20' });
  const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...scene.env, ...failpoints.env };
  const container = spawn(program, [...newNamespaceArgs, process.execPath, cliPath, '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  killInTime(t, container);
  const ended = once(container, 'close') as Promise<[number | null]>;
  let hasDied = false;
  for await (const event of readEvents(container)) {
    if (event.kind === 'notice' && event.message.startsWith('SIGTERM: ')) {
      // It has received the signal, and drains.
      await failpoints.resume('primary-after-ack');
    }
    if (event.kind !== 'started' && event.kind !== 'worker-died') continue;
    const [one = 0] = await readChildren(container.pid ?? 0);
    if (event.kind === 'started') {
      process.kill((await readChildren(one))[0] ?? 0, 'SIGKILL');
    } else {
      hasDied = true;
      assert.deepEqual(await listZombies(one), []);
      await failpoints.waitUntilFired('primary-after-ack');
      process.kill(one, 'SIGTERM');
    }
  }
  assert.ok(hasDied);
  assert.deepEqual(await ended, [ExitCode.sigterm, null]);
});
