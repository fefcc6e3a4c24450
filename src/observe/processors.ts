/** Measures how busy the processors of this machine are, with any work. */

import { cpus } from 'node:os';

/** Milliseconds since the machine started, summed over all processors. */
export interface ProcessorTimes {
  readonly busyMs: number;
  readonly idleMs: number;
}

export function readProcessorTimes(): ProcessorTimes {
  let [busyMs, idleMs] = [0, 0];
  for (const { times } of cpus()) {
    busyMs += times.user + times.nice + times.sys + times.irq;
    idleMs += times.idle;
  }
  return { busyMs, idleMs };
}

/** @returns 0 to 1; null if the system reports nothing, or no time has passed */
export function shareBetween(before: ProcessorTimes, after: ProcessorTimes): number | null {
  const busyMs = after.busyMs - before.busyMs;
  const allMs = busyMs + after.idleMs - before.idleMs;
  return allMs > 0 ? busyMs / allMs : null;
}
