/** Tells how much memory a process or a thread has, and has needed. */

import { readFileSync } from 'node:fs';
import process from 'node:process';
import v8 from 'node:v8';

export interface Memory {
  readonly memoryBytes: number;
  /** The highest so far. */
  readonly peakMemoryBytes: number;
}

/**
 * Lets garbage be four times what is in use before it is collected, for all threads of this process. Pages lie outside of
 * V8's heap and count with it; as that is small, V8 would look through all of it again for every 12 MB read, a third
 * of the primary's processor time. What is in use does not live in the young generation, whose room pays for part of that.
 */
export function collectGarbageLess(): void {
  v8.setFlagsFromString('--heap-growing-percent=300 --semi-space-growth-factor=1');
}

/** The resident set of this process, with all of its threads. */
export function readProcessMemory(): Memory {
  try {
    // ru_maxrss, the portable way, also counts the memory of the process that forked this one.
    const match = /^VmHWM:\s+(\d+) kB\nVmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
    if (match !== null) {
      return { peakMemoryBytes: Number(match[1]) * 1024, memoryBytes: Number(match[2]) * 1024 };
    }
  } catch {
    // Not Linux.
  }
  return { memoryBytes: process.memoryUsage.rss(), peakMemoryBytes: process.resourceUsage().maxRSS * 1024 };
}

let highestOfThread = 0;

/**
 * The heap of this thread, and what its objects hold outside of it (buffers); nobody tells a thread's share of the
 * resident set. The highest is that of the moments at which this was called.
 */
export function readThreadMemory(): Memory {
  const { heapTotal, external } = process.memoryUsage();
  const memoryBytes = heapTotal + external;
  highestOfThread = Math.max(highestOfThread, memoryBytes);
  return { memoryBytes, peakMemoryBytes: highestOfThread };
}

/** Of a worker that shares the heap of the primary. */
export const noMemoryOfItsOwn: Memory = { memoryBytes: 0, peakMemoryBytes: 0 };
