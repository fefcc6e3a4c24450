/** Describes the arrival of a batch at its worker: the time in transit, and whether the worker was waiting. */

import type { Arrival } from '../../observe/ack.ts';

export interface Moments {
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  /** When the worker had finished its earlier batches. */
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
