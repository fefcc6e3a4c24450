/**
 * Named places where tests stop, kill or fail a process or a thread: MONGO2PG_FAILPOINTS says what happens where (the
 * grammar is in `failpoint-rules.ts`), and in the folder MONGO2PG_FAILPOINTS_DIR the processes of a run count together.
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

const { MONGO2PG_FAILPOINTS: rulesText = '', MONGO2PG_FAILPOINTS_DIR: folder = '' } = process.env;
const isAnyActive = rulesText !== '';

/**
 * To be awaited at the place of this name; `bytes` is what is being worked on there. Without failpoints it costs one
 * comparison. Rejects where the action is `error`, and with UsageError when what was asked for makes no sense.
 */
export function reachFailpoint(
  name: FailpointName,
  bytes?: Uint8Array,
): Promise<Verdict | undefined> | undefined {
  return isAnyActive ? reach(name, bytes) : undefined;
}

/** Whether anything may happen there; for code that would have to prepare the bytes, or is not asynchronous. */
export function isFailpointActive(name: FailpointName): boolean {
  return isAnyActive && findRule(name) !== undefined;
}

async function reach(name: FailpointName, bytes: Uint8Array | undefined): Promise<Verdict | undefined> {
  const rule = findRule(name);
  if (rule === undefined || !isHit(rule, bytes) || !claimFiring(rule)) return undefined;
  switch (rule.action) {
    case 'kill':
      return killSelf();
    case 'exit':
      return process.exit(0);
    case 'hang':
      return hang();
    case 'pause':
      await pollUntil(() => (existsSync(resumePath(name)) || isTestOver() ? true : undefined), Infinity);
      return undefined;
    case 'error':
      throw new Error(`failpoint ${name}`);
    case 'drop':
    case 'double':
      return rule.action;
  }
}

let rules: ReturnType<typeof parseFailpointRules> | undefined;

function findRule(name: FailpointName): FailpointRule | undefined {
  if (folder === '') {
    throw new UsageError('MONGO2PG_FAILPOINTS is set and MONGO2PG_FAILPOINTS_DIR is not', {
      code: 'FAILPOINTS_DIR_MISSING',
      fix: 'Set it to an empty folder.',
    });
  }
  // Not at the module's start, whose errors nobody could catch.
  rules ??= parseFailpointRules(rulesText);
  return rules.get(name);
}

function isHit({ name, bytes: wanted, firstHit }: FailpointRule, bytes: Uint8Array | undefined): boolean {
  if (wanted !== undefined) {
    if (bytes === undefined) return false;
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(wanted)) return false;
  }
  // Once so many places are taken, every later hit counts.
  return firstHit === 1 || claimPlace(name, 'hit', firstHit - 1) === undefined;
}

function claimFiring({ name, maxFirings }: FailpointRule): boolean {
  return claimPlace(name, 'fired', maxFirings) !== undefined;
}

/** How many places are known to be taken, so that not all are tried again each time. */
const taken = new Map<string, number>();

/** The number of the first free place, which is now this process's; undefined when all up to `limit` are taken. */
function claimPlace(name: FailpointName, kind: 'hit' | 'fired', limit: number): number | undefined {
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

function resumePath(name: FailpointName): string {
  return join(folder, `${name}.resume`);
}

/** Whoever still waits then would wait for ever. */
function isTestOver(): boolean {
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

function hang(): never {
  while (!isTestOver()) sleep(1000);
  return killSelf();
}

/** Blocks the whole thread. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
