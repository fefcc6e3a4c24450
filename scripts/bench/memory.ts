/** The memory of processes together (PSS: what they share is counted once), from /proc of Linux. */

import { readFileSync, readdirSync } from 'node:fs';
import { TimeShare } from '../../src/common/time-share.ts';

/** Short beside the shortest command. */
const lookEveryMs = 25;

/**
 * PSS takes the kernel some 10 µs for each MB, in which it is not free for what is measured. It is read for at most this share of the
 * time. Between, a look reads only how much of the memory is anonymous, in 20 µs a process: nearly all that changes is.
 */
const closeLookShare = 0.01;

/** In bytes; 0 if it has ended, or without /proc. */
export function readRollup(pid: number, name: 'Rss' | 'Pss'): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    return Number(new RegExp(`^${name}: +([0-9]+) kB$`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Memory that is neither a file's nor shared, in bytes; 0 if it has ended, or without /proc. */
export function readAnonymous(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return Number(/^RssAnon:\s+([0-9]+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Of the processes and all below them, in bytes. */
export function sumPss(pids: readonly number[]): number {
  return sum(listTree(pids), (pid) => readRollup(pid, 'Pss'));
}

function listTree(pids: readonly number[]): number[] {
  return pids.flatMap((pid) => [pid, ...listTree(listChildren(pid))]);
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}

/** Children that any of its threads has started. */
export function listChildren(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1');
      return children.split(' ').filter(Boolean).map(Number);
    });
  } catch {
    return [];
  }
}

/** Until it is stopped, measures the processes that this one starts from now on, and their descendants. */
export class PeakPss {
  readonly #before = new Set(listChildren(process.pid));
  readonly #timer = setInterval(() => {
    this.#look();
  }, lookEveryMs).unref();
  readonly #closeLooks = new TimeShare(closeLookShare);
  /** At the last close look: what else there was beside anonymous memory. */
  #otherBytes = 0;
  #peak = 0;

  #look(): void {
    const started = listTree(listChildren(process.pid).filter((pid) => !this.#before.has(pid)));
    if (started.length === 0) return;
    if (this.#closeLooks.isDue(0)) this.#lookClosely(started);
    this.#peak = Math.max(this.#peak, sum(started, readAnonymous) + this.#otherBytes);
  }

  #lookClosely(pids: readonly number[]): void {
    const startedMs = performance.now();
    const anonymous = sum(pids, readAnonymous);
    this.#otherBytes = sum(pids, (pid) => readRollup(pid, 'Pss')) - anonymous;
    this.#closeLooks.done(performance.now() - startedMs);
  }

  /** @returns bytes; null if nothing was seen */
  stop(): number | null {
    clearInterval(this.#timer);
    this.#look();
    return this.#peak === 0 ? null : this.#peak;
  }
}
