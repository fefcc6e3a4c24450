/** The memory of processes together (PSS: what they share is counted once), from /proc of Linux. */

import { readFileSync, readdirSync } from 'node:fs';

/** Short beside the shortest command, and a read of a process takes well below a millisecond. */
const lookEveryMs = 25;

/** In bytes; 0 if it has ended, or without /proc. */
export function readRollup(pid: number, name: 'Rss' | 'Pss'): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    return Number(new RegExp(`^${name}: +([0-9]+) kB$`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** Of the processes and all below them, in bytes. */
export function sumPss(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readRollup(pid, 'Pss') + sumPss(listChildren(pid)), 0);
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
  #peak = 0;

  #look(): void {
    const started = listChildren(process.pid).filter((pid) => !this.#before.has(pid));
    this.#peak = Math.max(this.#peak, sumPss(started));
  }

  /** @returns bytes; null if nothing was seen */
  stop(): number | null {
    clearInterval(this.#timer);
    this.#look();
    return this.#peak === 0 ? null : this.#peak;
  }
}
