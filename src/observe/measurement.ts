/** The measurements of a load: where the time of the primary and of each worker went. */

import type { ClusterImplementation } from '../config/config.ts';

export interface Measurement {
  /** The kind of the workers, which decides what their memory means: see `Ack`. */
  readonly implementation: ClusterImplementation;
  /** From the first request for a page to the last commit on disk. The next four are parts of it. */
  readonly loadMs: number;
  /** The primary waited for pages of the source; the average of its readers. */
  readonly readMs: number;
  /** MAX_RATE or LOAD_LEVEL held its readers back; the average of its readers. */
  readonly heldMs: number;
  /** The primary had a page, and waited until a worker could take it. */
  readonly roomMs: number;
  /** The primary had read everything, and waited for the last acks. */
  readonly drainMs: number;
  /** How busy all processors of this machine were, with any work: 0 to 1; null if the system does not report it. */
  readonly processorShare: number | null;
  readonly workers: readonly WorkerMeasurement[];
}

/** One worker. The time of a batch that is not finished counts as idle. */
export interface WorkerMeasurement {
  readonly id: string;
  readonly batches: number;
  /**
   * From the moment at which it was ready and the load had begun, to the end of the load or of the worker. Without its
   * work for other runs.
   */
  readonly readyMs: number;
  readonly transcodeMs: number;
  /** Waiting for Postgres: the next three, and the time between them. */
  readonly loadMs: number;
  readonly claimMs: number;
  readonly copyMs: number;
  readonly commitMs: number;
  /** The rest of `readyMs`. */
  readonly idleMs: number;
  /** The part of `idleMs` in which its next batch was in transit. */
  readonly handOverMs: number;
  /** From sending to receiving, the sum of all batches. Most of it passes while the worker works. */
  readonly ipcMs: number;
  /** The highest value so far; 0 before the first ack, and for inline workers. */
  readonly peakMemoryBytes: number;
}

/** The sums over all workers. */
export type WorkerTotals = Omit<WorkerMeasurement, 'id' | 'ipcMs' | 'peakMemoryBytes'>;

export function addUpWorkers(workers: readonly WorkerMeasurement[]): WorkerTotals {
  const sum = (pick: (worker: WorkerMeasurement) => number): number =>
    workers.reduce((total, worker) => total + pick(worker), 0);
  return {
    batches: sum(({ batches }) => batches),
    readyMs: sum(({ readyMs }) => readyMs),
    transcodeMs: sum(({ transcodeMs }) => transcodeMs),
    loadMs: sum(({ loadMs }) => loadMs),
    claimMs: sum(({ claimMs }) => claimMs),
    copyMs: sum(({ copyMs }) => copyMs),
    commitMs: sum(({ commitMs }) => commitMs),
    idleMs: sum(({ idleMs }) => idleMs),
    handOverMs: sum(({ handOverMs }) => handOverMs),
  };
}

/** 0 to 1. */
export function busyShare({ transcodeMs, loadMs, readyMs }: WorkerMeasurement): number {
  return readyMs === 0 ? 0 : (transcodeMs + loadMs) / readyMs;
}
