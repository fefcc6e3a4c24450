/** Shared by tests of the embedded servers: folders, commands to kill, and checks of processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { TestContext } from 'node:test';

import { unlessCode } from '../../src/common/fs-errors.ts';
import { pollUntil } from '../../src/common/poll.ts';
import { identifyProcess } from '../../packages/trial-servers/src/process-identity.ts';
import { createClient } from './date-style.ts';
import { stepLimitMs } from './limits.ts';
import { copyPostgresTemplate } from './postgres-template.ts';
import { makeServerFolder } from './server-folder.ts';

export const isRoot = process.getuid?.() === 0;

const cleanUps = new WeakMap<TestContext, (() => unknown)[]>();

/** Like `t.after`, but the last comes first: a server must be stopped before its folder is removed. */
export function cleanUp(t: TestContext, action: () => unknown): void {
  const known = cleanUps.get(t);
  if (known !== undefined) {
    known.push(action);
    return;
  }
  const actions = [action];
  cleanUps.set(t, actions);
  t.after(async () => {
    for (const next of actions.reverse()) await next();
  });
}

/** Waits for a promise that does not keep the process alive by itself. */
export async function hold<T>(promise: Promise<T>): Promise<T> {
  const keepAlive = setInterval(() => undefined, 2 ** 30);
  try {
    return await promise;
  } finally {
    clearInterval(keepAlive);
  }
}

/** A folder that everybody can enter (as a user's clone can be), removed after the test. */
export async function makeDirectory(t: TestContext, mode = 0o755): Promise<string> {
  const directory = await makeServerFolder(mode);
  cleanUp(t, () => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** Such a folder in which the embedded Postgres has been started before. */
export async function makeUsedDirectory(t: TestContext): Promise<string> {
  const directory = await makeDirectory(t);
  await copyPostgresTemplate(directory);
  return directory;
}

export interface Parent {
  readonly child: ChildProcess;
  readonly report: {
    host: number;
    port: number;
    url: string;
    notices: string[];
    error?: string;
    fix?: string;
  };
  /** Lets the command stop its server, and gives its exit code. */
  finish(): Promise<number | null>;
}

/** Spawns a command that starts the embedded Postgres; fulfilled once it has reported. */
export async function startParent(
  t: TestContext,
  dataDir: string,
  options: { role?: 'run' | 'held'; uid?: number; gid?: number; script?: string } = {},
): Promise<Parent> {
  const { child, reported } = spawnParent(t, dataDir, options);
  const report = JSON.parse(await reported) as Parent['report'];
  return {
    child,
    report,
    async finish() {
      const exited = once(child, 'exit');
      child.stdin?.end();
      const [code] = (await exited) as [number | null];
      return code;
    },
  };
}

export function spawnParent(
  t: TestContext,
  dataDir: string,
  {
    role = 'run',
    uid,
    gid,
    script,
  }: { role?: 'run' | 'held'; uid?: number; gid?: number; script?: string } = {},
): { child: ChildProcess; reported: Promise<string> } {
  const file = script ?? fileURLToPath(new URL('./embedded-parent.js', import.meta.url));
  const child = spawn(process.execPath, [file, dataDir, role], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
  cleanUp(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const reported = new Promise<string>((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve);
    child.once('exit', () => {
      reject(new Error('the command ended without a report'));
    });
  });
  // A test that kills the command does not wait for its report.
  reported.catch(() => undefined);
  return { child, reported };
}

export async function query(url: string, sql: string): Promise<unknown[]> {
  const client = createClient(url);
  await client.connect();
  try {
    const result = await client.query<Record<string, unknown>>(sql);
    return result.rows.flatMap((row) => Object.values(row));
  } finally {
    await client.end();
  }
}

export async function waitUntil(what: string, check: () => Promise<boolean>): Promise<void> {
  const isDone = await pollUntil(async () => ((await check()) ? true : undefined), stepLimitMs);
  assert.equal(isDone, true, `not so within ${stepLimitMs} ms: ${what}`);
}

export async function waitForProcessEnd(pid: number): Promise<void> {
  await waitUntil(`process ${pid} has ended`, async () => (await identifyProcess(pid)) === undefined);
}

export async function isAlive(pid: number): Promise<boolean> {
  return (await identifyProcess(pid)) !== undefined;
}

/** The process id of the postmaster of the folder, 0 when there is none. */
export async function readPostmasterPid(dataDir: string): Promise<number> {
  const text = await unlessCode(readFile(join(dataDir, 'postgres/cluster/postmaster.pid'), 'utf8'), 'ENOENT');
  return Number.parseInt(text ?? '0', 10);
}

/** Spawns the `servers` command without a command of its own; fulfilled once it has printed all of its messages. */
export async function spawnHold(
  t: TestContext,
  dataDir: string,
): Promise<{ child: ChildProcess; lines: readonly string[]; exited: Promise<number | null> }> {
  const module = new URL('../../packages/trial-servers/src/serve.js', import.meta.url).href;
  const code = `import { holdServers } from ${JSON.stringify(module)};
    process.exitCode = await holdServers({ dataDir: ${JSON.stringify(dataDir)}, command: [] }, { writeLine: (line) => console.error(line) });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const exited = once(child, 'exit').then(([status]) => status as number | null);
  cleanUp(t, async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const lines: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    lines.push(line);
    if (line.startsWith('Ctrl-C')) break;
  }
  return { child, lines, exited };
}
