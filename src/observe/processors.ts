/** Tells how busy this machine's processors are, whoever keeps them busy. */

import { cpus } from 'node:os';

/** Milliseconds of all processors together, since the machine started. */
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

/** @returns 0 to 1; null where the system tells nothing, or nothing yet */
export function shareBetween(before: ProcessorTimes, after: ProcessorTimes): number | null {
  const busyMs = after.busyMs - before.busyMs;
  const allMs = busyMs + after.idleMs - before.idleMs;
  return allMs > 0 ? busyMs / allMs : null;
}
