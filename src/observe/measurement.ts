/** What is measured of a run's load: where the time of the primary and of each worker went. */

import type { ClusterImplementation } from '../config/config.ts';

export interface Measurement {
  /** What the workers are, and so what their memory is the memory of; see `Ack`. */
  readonly implementation: ClusterImplementation;
  /** From the first page that was asked for to the last commit on disk. */
  readonly loadMs: number;
  /** Of that, how long the primary waited for pages of the source (on average over its readers, like the next one), … */
  readonly readMs: number;
  /** … had a page, and waited until a worker could take it, … */
  readonly roomMs: number;
  /** … and had read all, and waited for the last acks. */
  readonly drainMs: number;
  /** How busy all processors of this machine were, with this and anything else: 0 to 1; null where nobody tells. */
  readonly processorShare: number | null;
  readonly workers: readonly WorkerMeasurement[];
}

/** One worker; what it had not finished when this was measured counts as idle. */
export interface WorkerMeasurement {
  readonly id: string;
  readonly batches: number;
  /**
   * From being ready for the run's batches, or from the beginning of the load, to the end of the load, or of the worker;
   * without what it did for other runs meanwhile.
   */
  readonly readyMs: number;
  readonly transcodeMs: number;
  /** Waiting for Postgres: the sum of these and of what lies between. */
  readonly loadMs: number;
  readonly claimMs: number;
  readonly copyMs: number;
  readonly commitMs: number;
  /** The rest of `readyMs`. */
  readonly idleMs: number;
  /** How much of `idleMs` its next batch was on its way already. */
  readonly handOverMs: number;
  /** From being sent to being received, over all batches; most of it passes while the worker works. */
  readonly ipcMs: number;
  /** The most that it has had, ever; 0 when no ack has told it, and where it has none of its own. */
  readonly peakMemoryBytes: number;
}

/** All workers taken together. */
export interface WorkerTotals {
  readonly batches: number;
  readonly readyMs: number;
  readonly transcodeMs: number;
  readonly loadMs: number;
  readonly claimMs: number;
  readonly copyMs: number;
  readonly commitMs: number;
  readonly idleMs: number;
  readonly handOverMs: number;
}

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
