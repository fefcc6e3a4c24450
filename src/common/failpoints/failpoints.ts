/**
 * Named places where tests stop, kill or fail a process or a thread: MONGO2PG_FAILPOINTS says what happens where (the
 * grammar is in `rules.ts`), and in the folder MONGO2PG_FAILPOINTS_DIR the processes of a run count together.
 *
 * A place `NAME.N.hit` or `NAME.N.fired` in the folder belongs to the process that creates the file, so that a point
 * which is to fire once does so in one process only, and tests can wait for it. The file holds that process's id.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { hasCode } from '../fs-errors.ts';
import { pollUntil } from '../poll.ts';
import { UsageError } from '../errors.ts';
import { parseFailpointRules } from './rules.ts';
import type { FailpointName, FailpointRule } from './rules.ts';

/** What the caller is to do with what it was about to send. */
export type Verdict = 'drop' | 'double';

/** `taken` are places known to be so, that not all are tried again each time. */
interface Active {
  readonly rulesText: string;
  readonly folder: string;
  readonly taken: Map<string, number>;
  rules?: ReturnType<typeof parseFailpointRules>;
}

let active = readActive(process.env);

function readActive(env: Readonly<Record<string, string | undefined>>): Active | null {
  const { MONGO2PG_FAILPOINTS: rulesText = '', MONGO2PG_FAILPOINTS_DIR: folder = '' } = env;
  return rulesText === '' ? null : { rulesText, folder, taken: new Map() };
}

/**
 * For a test that runs the command as a function, one at a time with failpoints; what ends the process ends the test's.
 * @returns takes them away again
 */
export function activateFailpoints(env: Readonly<Record<string, string | undefined>>): () => void {
  if (active !== null) throw new Error('another run of this process has failpoints');
  active = readActive(env);
  return () => {
    active = null;
  };
}

/**
 * To be awaited at the place of this name; `bytes` is what is being worked on there. Without failpoints it costs one
 * comparison. Rejects where the action is `error`, and with UsageError when what was asked for makes no sense.
 */
export function reachFailpoint(
  name: FailpointName,
  bytes?: Uint8Array,
): Promise<Verdict | undefined> | undefined {
  return active === null ? undefined : reach(active, name, bytes);
}

/** Whether anything may happen there; for code that would have to prepare the bytes, or is not asynchronous. */
export function isFailpointActive(name: FailpointName): boolean {
  return active !== null && findRule(active, name) !== undefined;
}

async function reach(
  points: Active,
  name: FailpointName,
  bytes: Uint8Array | undefined,
): Promise<Verdict | undefined> {
  const rule = findRule(points, name);
  if (rule === undefined || !isHit(points, rule, bytes) || !claimFiring(points, rule)) return undefined;
  const { folder } = points;
  switch (rule.action) {
    case 'kill':
      return killSelf();
    case 'exit':
      return process.exit(0);
    case 'hang':
      return hang(folder);
    case 'pause':
      await pollUntil(
        () => (existsSync(join(folder, `${name}.resume`)) || isTestOver(folder) ? true : undefined),
        Infinity,
      );
      return undefined;
    case 'error':
      throw new Error(`failpoint ${name}`);
    case 'drop':
    case 'double':
      return rule.action;
  }
}

function findRule(points: Active, name: FailpointName): FailpointRule | undefined {
  if (points.folder === '') {
    throw new UsageError('MONGO2PG_FAILPOINTS is set and MONGO2PG_FAILPOINTS_DIR is not', {
      code: 'FAILPOINTS_DIR_MISSING',
      fix: 'Set it to an empty folder.',
    });
  }
  // Not at the module's start, whose errors nobody could catch.
  points.rules ??= parseFailpointRules(points.rulesText);
  return points.rules.get(name);
}

function isHit(
  points: Active,
  { name, bytes: wanted, firstHit }: FailpointRule,
  bytes: Uint8Array | undefined,
): boolean {
  if (wanted !== undefined) {
    if (bytes === undefined) return false;
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(wanted)) return false;
  }
  // Once so many places are taken, every later hit counts.
  return firstHit === 1 || claimPlace(points, name, 'hit', firstHit - 1) === undefined;
}

function claimFiring(points: Active, { name, maxFirings }: FailpointRule): boolean {
  return claimPlace(points, name, 'fired', maxFirings) !== undefined;
}

/** The number of the first free place, which is now this process's; undefined when all up to `limit` are taken. */
function claimPlace(
  { folder, taken }: Active,
  name: FailpointName,
  kind: 'hit' | 'fired',
  limit: number,
): number | undefined {
  const key = `${name}.${kind}`;
  for (let n = (taken.get(key) ?? 0) + 1; n <= limit; n += 1) {
    taken.set(key, n);
    try {
      writeFileSync(join(folder, `${name}.${n}.${kind}`), `${process.pid}\n`, { flag: 'wx' });
      return n;
    } catch (error) {
      // A test that is over has removed the folder, and nothing is to happen any more.
      if (hasCode(error, 'ENOENT')) return undefined;
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
  return undefined;
}

/** Whoever still waits then would wait for ever. */
function isTestOver(folder: string): boolean {
  return !existsSync(folder);
}

/** As a shell tells the end of a process by SIGKILL. */
const killedExitCode = 137;

function killSelf(): never {
  // No signal ends a thread alone, and this does as suddenly: nothing of the thread goes on.
  if (!isMainThread) process.exit(killedExitCode);
  process.kill(process.pid, 'SIGKILL');
  // The signal may take a moment, in which nothing must happen any more.
  for (;;) sleep(1000);
}

function hang(folder: string): never {
  while (!isTestOver(folder)) sleep(1000);
  return killSelf();
}

/** Blocks the whole thread. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
