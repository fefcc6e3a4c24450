/** Runs the built command line: as a user does, in a process of its own, or as a function in the test's. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../../src/cli/program.ts';
import { activateFailpoints } from '../../src/common/failpoints/failpoints.ts';
import type { ClusterImplementation } from '../../src/config/config.ts';
import type { RunEvent, StartedEvent } from '../../src/observe/events.ts';
import { clusterImplementations } from '../../src/config/options/workers.ts';
import { optionNames, options } from '../../src/config/options.ts';
import { CapturedOutput } from './captured-output.ts';
import { stepLimitMs } from './limits.ts';
import { stepDownDuring, stepDownVariable } from './step-down.ts';

/** The program. */
export const cliPath = fileURLToPath(new URL('../../bundle/src/cli/main.js', import.meta.url));

export interface CliResult {
  /** As a shell reports it; null when a signal ended the process. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly process: ChildProcess;
  readonly result: Promise<CliResult>;
  /** What it has written so far. */
  readonly heard: { readonly stdout: string; readonly stderr: string };
}

const named = process.env.TEST_CLUSTER_IMPLEMENTATION as ClusterImplementation | undefined;

/** How workers run by default: the value of `npm test -- --pool`. */
export const pool: ClusterImplementation = named ?? 'cluster';

/**
 * How they run where that is not the subject: as connections of the command's own process. With `--pool cluster` such a
 * test uses processes too.
 */
export const plainPool: ClusterImplementation = named ?? 'inline';

/** For tests that run with each kind of workers, unless one is named. */
export const everyPool: readonly ClusterImplementation[] =
  named === undefined ? clusterImplementations : [named];

export interface StartOptions {
  /** In a process group of its own, which can be sent a signal as a whole. */
  readonly isDetached?: boolean;
  /** Standard output and error: piped to here, or descriptors of files. */
  readonly output?: readonly ['pipe' | number, 'pipe' | number];
  readonly cwd?: string;
  /** A command that executes the rest of its arguments in its own place, as `env` does. */
  readonly through?: readonly string[];
}

/** Starts it with this environment and no other setting. Its folder has no `.env`, unless one is named. */
export function startCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { isDetached = false, output = ['pipe', 'pipe'], cwd = tmpdir(), through = [] }: StartOptions = {},
): RunningCli {
  const [command = process.execPath, ...words] = [...through, process.execPath, cliPath, ...args];
  const child = spawn(command, words, {
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
  // Later code finds a primary.
  const result = Promise.all([closed, steppedDown]).then(([[code, signal]]) => ({ code, signal, ...heard }));
  return { process: child, result, heard };
}

/** In a process: for tests about processes, such as the pool, signals, kills, or the files of a folder. */
export async function runProcess(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CliResult> {
  return await startCli(args, env).result;
}

/**
 * Where processes are not the subject: inline, and as a function of this process where it can be one, as it takes most of
 * a small run's time to start a process and its workers.
 */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CliResult> {
  const whole = { CLUSTER_IMPLEMENTATION: plainPool, ...env };
  // Failpoints apply to a whole process.
  const isAlone = functions === 0 || (!hasFailpoints && env.MONGO2PG_FAILPOINTS === undefined);
  return isAlone && canBeFunction(args, whole)
    ? await runFunction(args, whole)
    : await runProcess(args, whole);
}

/** How many commands run as functions of this process. */
let functions = 0;
let hasFailpoints = false;

async function runFunction(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<CliResult> {
  const heard = new CapturedOutput();
  functions++;
  const deactivate = env.MONGO2PG_FAILPOINTS === undefined ? null : activateFailpoints(env);
  hasFailpoints ||= deactivate !== null;
  try {
    const code = await inTime(args, runProgram(args, { env, output: heard.output }));
    return { code, signal: null, ...heard.texts };
  } finally {
    functions--;
    hasFailpoints &&= deactivate === null;
    deactivate?.();
  }
}

const knownVariables: ReadonlySet<string> = new Set([
  ...optionNames.map((name) => options[name].env),
  'MONGO2PG_FAILPOINTS',
  'MONGO2PG_FAILPOINTS_DIR',
]);

/** Failpoint actions that affect the whole process. */
const killing = /=(kill|exit|hang)/;

/** Commands and flags that end the process, or write directly to standard output. */
const processWords = ['servers', 'completion', '--help', '--version'];

/** Other variables are read when a process starts, by Node or by a driver. */
export function canBeFunction(args: readonly string[], env: Readonly<Record<string, string>>): boolean {
  return (
    env.CLUSTER_IMPLEMENTATION === 'inline' &&
    process.env[stepDownVariable] === undefined &&
    Object.keys(env).every((name) => knownVariables.has(name)) &&
    !killing.test(env.MONGO2PG_FAILPOINTS ?? '') &&
    !args.some((word) => processWords.includes(word))
  );
}

/** A hang in this process can only be killed with it, and then the runner reports the file. */
async function inTime<T>(args: readonly string[], work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => {
    console.error(`mongo2pg ${args.join(' ')} has not ended within ${stepLimitMs} ms`);
    process.exit(1);
  }, stepLimitMs);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}

/** The processes of the workers: for threads and inline workers, that of the primary. */
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
