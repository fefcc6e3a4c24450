/** The time and timers, for whatever measures or waits; tests replace it. */

import process from 'node:process';

export interface Clock {
  nowMs(): number;
  /** Calls `action` once after `delayMs`. Returns a function that cancels it. Does not keep the process alive. */
  after(delayMs: number, action: () => void): () => void;
}

/**
 * Milliseconds of the monotonic clock, which all processes of this machine share. A worker can therefore compute how long ago
 * the primary sent something. `performance.now()` starts at 0 in each process, and the time of day can be set during a run.
 */
export function readMachineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

export const systemClock: Clock = {
  nowMs: readMachineMs,
  after: (delayMs, action) => {
    const timer = setTimeout(action, delayMs).unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
