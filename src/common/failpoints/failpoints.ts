/**
 * Named places where tests stop, kill or fail a process or a thread: MONGO2PG_FAILPOINTS says what happens where (the
 * grammar is in `rules.ts`), and in the folder MONGO2PG_FAILPOINTS_DIR the processes of a run count together.
 *
 * A file `NAME.N.hit` or `NAME.N.fired` in the folder belongs to the process that creates it. So a failpoint that must fire
 * once fires in one process only, and tests can wait for the file. It contains the id of that process.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { hasCode } from '../fs-errors.ts';
import { pollUntil } from '../poll.ts';
import { UsageError } from '../errors.ts';
import { parseFailpointRules } from './rules.ts';
import type { FailpointName, FailpointRule } from './rules.ts';

/** What the caller must do with the message that it was about to send. */
export type Verdict = 'drop' | 'double';

/** `taken` is the highest number known to be claimed, so that lower ones are not tried again. */
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
 * For a test that runs the command as a function. Only one run at a time can have failpoints. An action that ends the
 * process ends the process of the test.
 * @returns deactivates the failpoints
 */
export function activateFailpoints(env: Readonly<Record<string, string | undefined>>): () => void {
  if (active !== null) throw new Error('another run of this process has failpoints');
  active = readActive(env);
  return () => {
    active = null;
  };
}

/**
 * Await it at the place of this name; `bytes` are the data at that place. Without failpoints it costs one comparison.
 * @throws Error where the action is `error`; UsageError where the rules are invalid
 */
export function reachFailpoint(
  name: FailpointName,
  bytes?: Uint8Array,
): Promise<Verdict | undefined> | undefined {
  return active === null ? undefined : reach(active, name, bytes);
}

/** Whether a rule names this failpoint; for code that would have to prepare the bytes, or is not asynchronous. */
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
  // Not when the module is loaded, when the error could not be caught.
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
  // Once that many hits are claimed, every later hit counts.
  return firstHit === 1 || claimPlace(points, name, 'hit', firstHit - 1) === undefined;
}

function claimFiring(points: Active, { name, maxFirings }: FailpointRule): boolean {
  return claimPlace(points, name, 'fired', maxFirings) !== undefined;
}

/** Claims the first free number for this process; undefined when all up to `limit` are taken. */
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
      // The test has ended and removed its folder: nothing may fire any more.
      if (hasCode(error, 'ENOENT')) return undefined;
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
  return undefined;
}

/** A process that still waits then would wait for ever. */
function isTestOver(folder: string): boolean {
  return !existsSync(folder);
}

/** The exit code that a shell reports for a process ended by SIGKILL. */
const killedExitCode = 137;

function killSelf(): never {
  // No signal ends a single thread. In a thread, process.exit ends only that thread, and as suddenly.
  if (!isMainThread) process.exit(killedExitCode);
  process.kill(process.pid, 'SIGKILL');
  // The signal may take a moment to arrive; nothing may run meanwhile.
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
