/** Tells how much memory this process has, and has needed. */

import { readFileSync } from 'node:fs';

/** The resident set of this process in bytes. */
export interface Memory {
  readonly rssBytes: number;
  /** The highest so far. */
  readonly peakRssBytes: number;
}

export function readMemory(): Memory {
  try {
    // ru_maxrss, the portable way, also counts the memory of the process that forked this one.
    const match = /^VmHWM:\s+(\d+) kB\nVmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
    if (match !== null) return { peakRssBytes: Number(match[1]) * 1024, rssBytes: Number(match[2]) * 1024 };
  } catch {
    // Not Linux.
  }
  return { rssBytes: process.memoryUsage.rss(), peakRssBytes: process.resourceUsage().maxRSS * 1024 };
}

export function readPeakRssBytes(): number {
  return readMemory().peakRssBytes;
}
