/** Time, as the supervisor and what measures need it; a test has a clock of its own. */

import process from 'node:process';

export interface Clock {
  nowMs(): number;
  /** Calls `action` once after the time; returns how to call it off. Does not keep the process alive. */
  after(delayMs: number, action: () => void): () => void;
}

/**
 * Milliseconds since some moment that is the same for every process of this machine (CLOCK_MONOTONIC and its like), so
 * that a worker can tell how long ago the primary sent something. `performance.now()` begins anew in each process, and
 * the time of day can be set while a run goes.
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
