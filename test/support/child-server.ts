/** A server program that tests run as a child process, and that ends with them. */

import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stepLimitMs } from './limits.ts';

export interface ChildServer {
  /** The match of the pattern in the line that reported that it is ready. */
  readonly found: string;
  stop(): Promise<void>;
  /** As `kill -9` does it. */
  kill(): Promise<void>;
  /** Ends it with a signal, and waits for its end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

export interface RunningServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** With a folder for its data, which is removed with it. */
export async function startInFolder(
  prefix: string,
  start: (folder: string) => Promise<RunningServer>,
): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const server = await start(folder);
    return {
      url: server.url,
      async stop() {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * @param isReady matches a line of its output that says that it takes connections; its first group is returned
 * @throws Error with its last output when it ends before, or never prints such a line
 */
export async function startChildServer(
  file: string,
  args: readonly string[],
  isReady: RegExp,
  options: Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> = {},
): Promise<ChildServer> {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  // No server stays when this process exits early.
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  const lines: string[] = [];
  const ready = new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface(stream).on('line', (line) => {
        const match = isReady.exec(line);
        if (match !== null) resolve(match[1] ?? '');
        lines.push(line);
        if (lines.length > 20) lines.shift();
      });
    }
    const fail = (what: string) => () => {
      reject(new Error(`${file} ${what}:\n${lines.join('\n')}`));
    };
    exited.then(fail('ended before it was ready'), reject);
    setTimeout(fail('is not ready'), stepLimitMs).unref();
  });
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    child.kill('SIGTERM');
    const timer = setTimeout(kill, stepLimitMs);
    await exited;
    clearTimeout(timer);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    process.off('exit', kill);
    child.kill(signal);
    await exited;
  };
  const killNow = async (): Promise<void> => {
    process.off('exit', kill);
    kill();
    await exited;
  };
  try {
    return { found: await ready, stop, kill: killNow, end };
  } catch (error) {
    if (child.pid !== undefined) await stop();
    throw error;
  }
}
