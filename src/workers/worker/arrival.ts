/** Tells how a batch came to its worker: how long it was on its way, and who waited for it. */

import type { Arrival } from '../../observe/ack.ts';

export interface Moments {
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  /** When the worker was done with what it had before. */
  readonly idleSinceMs: number;
  readonly startedAtMs: number;
}

export function describeArrival({ sentAtMs, receivedAtMs, idleSinceMs, startedAtMs }: Moments): Arrival {
  return {
    startedAtMs,
    ipcMs: receivedAtMs - sentAtMs,
    idleMs: startedAtMs - idleSinceMs,
    handOverMs: startedAtMs - Math.max(sentAtMs, idleSinceMs),
  };
}
