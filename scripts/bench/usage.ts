/** Processor time of processes, from /proc of Linux; null without /proc. */

import { readdirSync, readFileSync } from 'node:fs';
import { readRollup, sumPss } from './memory.ts';

/** `USER_HZ`, which is 100 wherever Node runs. */
const msPerTick = 10;

interface Times {
  readonly parentPid: number;
  readonly ownMs: number;
  /** Of its children that have ended and were waited for. */
  readonly childrenMs: number;
}

function readTimes(pid: number | 'self'): Times | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program may hold spaces and brackets; what follows the last one are numbers.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = (index: number): number => Number(fields[index]);
    return {
      parentPid: ticks(1),
      ownMs: (ticks(11) + ticks(12)) * msPerTick,
      childrenMs: (ticks(13) + ticks(14)) * msPerTick,
    };
  } catch {
    return null;
  }
}

export function readParentPid(pid: number): number {
  return readTimes(pid)?.parentPid ?? 0;
}

export function readOwnCpuMs(pid: number): number | null {
  return readTimes(pid)?.ownMs ?? null;
}

/** Of all processes that this one has started, and these in turn, once they have ended. */
export function readEndedChildrenCpuMs(): number | null {
  return readTimes('self')?.childrenMs ?? null;
}

/** Of a process and those that it started, those that have ended among them. */
export function readTreeCpuMs(pid: number): number | null {
  for (;;) {
    const server = readTimes(pid);
    if (server === null) return null;
    const children = readdirSync('/proc')
      .filter((name) => /^[0-9]+$/.test(name))
      .map((name) => readTimes(Number(name)))
      .filter((times) => times?.parentPid === pid);
    // One that the server reaped in between would be in neither.
    if (readTimes(pid)?.childrenMs !== server.childrenMs) continue;
    return children.reduce((sum, times) => sum + (times?.ownMs ?? 0), server.ownMs + server.childrenMs);
  }
}

/** In bytes; 0 if unknown. */
export interface ProcessMemory {
  /** The resident set of the process itself. */
  readonly ownRss: number;
  /** Of it and all below it together, what they share counted once. */
  readonly allPss: number;
}

export function readMemory(pid: number): ProcessMemory {
  return { ownRss: readRollup(pid, 'Rss'), allPss: sumPss([pid]) };
}
