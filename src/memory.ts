/** Tells how much memory this process has needed. */

import { readFileSync } from 'node:fs';

/** Highest resident set of this process so far, in bytes. */
export function readPeakRssBytes(): number {
  try {
    // ru_maxrss, the portable way, also counts the memory of the process that forked this one.
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
    if (match?.[1] !== undefined) return Number(match[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}
