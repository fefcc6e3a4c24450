/** Reads how much memory a process or a thread uses, and how much it used at most. */

import { readFileSync } from 'node:fs';
import process from 'node:process';
import v8 from 'node:v8';

export interface Memory {
  readonly memoryBytes: number;
  /** The highest value so far. */
  readonly peakMemoryBytes: number;
}

/**
 * Has V8 collect garbage less often, for all threads of this process: only once the heap is four times what is in use.
 * Pages are outside V8's heap but count with it. Because the heap is small, V8 would otherwise mark all of it again for
 * every 12 MB read, which takes a third of the primary's processor time. The young generation stays small to save memory:
 * what is in use does not live there.
 */
export function collectGarbageLess(): void {
  v8.setFlagsFromString('--heap-growing-percent=300 --semi-space-growth-factor=1');
}

/** The resident set of this process, which includes all of its threads. */
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
 * The heap of this thread and its external memory (buffers). A thread's share of the resident set cannot be measured. The
 * peak is the highest value that a call of this function has seen.
 */
export function readThreadMemory(): Memory {
  const { heapTotal, external } = process.memoryUsage();
  const memoryBytes = heapTotal + external;
  highestOfThread = Math.max(highestOfThread, memoryBytes);
  return { memoryBytes, peakMemoryBytes: highestOfThread };
}

/** For a worker that shares the heap of the primary. */
export const noMemoryOfItsOwn: Memory = { memoryBytes: 0, peakMemoryBytes: 0 };
