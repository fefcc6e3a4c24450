/** Runs the built command line as a user does, in a process of its own. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ClusterImplementation } from '../../src/config/config.ts';
import type { RunEvent, StartedEvent } from '../../src/observe/events.ts';
import { clusterImplementations } from '../../src/config/options.ts';
import { stepDownDuring } from './step-down.ts';

/** The program. */
export const cliPath = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface CliResult {
  /** As a shell tells it; null when a signal ended the process. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly process: ChildProcess;
  readonly result: Promise<CliResult>;
}

const named = process.env.TEST_CLUSTER_IMPLEMENTATION as ClusterImplementation | undefined;

/** How workers run where a test does not say it: what `npm test -- --pool` names. */
export const pool: ClusterImplementation = named ?? 'cluster';

/** For the quick choice of tests that goes over all ways to run workers, unless one is named. */
export const everyPool: readonly ClusterImplementation[] =
  named === undefined ? clusterImplementations : [named];

export interface StartOptions {
  /** In a process group of its own, which can be sent a signal as a whole. */
  readonly isDetached?: boolean;
  /** Standard output and error: piped to here, or descriptors of files. */
  readonly output?: readonly ['pipe' | number, 'pipe' | number];
  readonly cwd?: string;
}

/** Starts it with this environment and no other setting. Its folder has no `.env`, unless one is named. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { isDetached = false, output = ['pipe', 'pipe'], cwd = tmpdir() }: StartOptions = {},
): RunningCli {
  const child = spawn(process.execPath, [cliPath, ...args], {
    detached: isDetached,
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, CLUSTER_IMPLEMENTATION: pool, ...env },
    stdio: ['ignore', ...output],
  });
  const heard = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (heard[name] += text));
  }
  const isSourceRead = env.MONGO_URL === process.env.TEST_MONGO_URL && args[0] !== 'status';
  const closed = once(child, 'close') as Promise<[number | null, string | null]>;
  const steppedDown = isSourceRead ? stepDownDuring(child) : Promise.resolve();
  // What comes next finds a primary.
  const result = Promise.all([closed, steppedDown]).then(([[code, signal]]) => ({ code, signal, ...heard }));
  return { process: child, result };
}

export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CliResult> {
  return await startCli(args, env).result;
}

/** The processes in which the workers are: where they are not of their own, that of the primary. */
export function processesOf({ workerIds }: StartedEvent): number[] {
  return workerIds.map((id) => Number.parseInt(id, 10));
}

/** The events of a run with `--json`, as they come; an aborted signal ends the reading. */
export async function* readEvents(child: ChildProcess, signal?: AbortSignal): AsyncGenerator<RunEvent> {
  if (child.stdout === null) throw new Error('stdout is not a pipe');
  const options = signal === undefined ? {} : { signal };
  for await (const line of createInterface({ input: child.stdout, ...options })) {
    yield JSON.parse(line) as RunEvent;
  }
}
