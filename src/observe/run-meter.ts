/** Measures one run in the primary: adds up its waits, and the times in the acks of its workers. */

import type { ClusterImplementation } from '../config/config.ts';
import type { Clock } from '../common/clock.ts';
import type { RunListener } from './run-listener.ts';
import type { Measurement, WorkerMeasurement } from './measurement.ts';
import { readProcessorTimes, shareBetween, type ProcessorTimes } from './processors.ts';
import type { Ack, LoadSteps } from './ack.ts';

type WorkerSums = Omit<WorkerMeasurement, 'id' | 'idleMs'>;

const nothing: WorkerSums = {
  batches: 0,
  readyMs: 0,
  transcodeMs: 0,
  loadMs: 0,
  claimMs: 0,
  copyMs: 0,
  commitMs: 0,
  handOverMs: 0,
  ipcMs: 0,
  peakMemoryBytes: 0,
};

const noSteps: LoadSteps = { claimMs: 0, copyMs: 0, commitMs: 0 };

export class RunMeter implements RunListener {
  readonly #implementation: ClusterImplementation;
  readonly #nowMs: () => number;
  readonly #readProcessors: () => ProcessorTimes;
  readonly #workers = new Map<string, WorkerSums>();
  /** For workers that are ready now. Their `readyMs` in `#workers` does not include the time since then. */
  readonly #readySinceMs = new Map<string, number>();
  readonly #waitedMs = { read: 0, room: 0, drain: 0 };
  #load:
    | {
        readonly beganMs: number;
        readonly processors: ProcessorTimes;
        readonly readers: number;
        readonly readHeldMs: () => number;
      }
    | undefined;
  /** Set when the load has ended; it does not change any more. */
  #measured: Measurement | undefined;

  constructor(
    implementation: ClusterImplementation,
    clock: Pick<Clock, 'nowMs'>,
    readProcessors = readProcessorTimes,
  ) {
    this.#implementation = implementation;
    this.#nowMs = () => clock.nowMs();
    this.#readProcessors = readProcessors;
  }

  /**
   * @param readers the number of readers that wait in parallel
   * @param readHeldMs returns how long all readers together were held back by the pace
   */
  beginLoad(readers = 1, readHeldMs = (): number => 0): void {
    const beganMs = this.#nowMs();
    this.#load = { beganMs, processors: this.#readProcessors(), readers, readHeldMs };
    // Workers that connected while the plan was made count from now on.
    for (const id of this.#readySinceMs.keys()) this.#readySinceMs.set(id, beganMs);
  }

  /** Call it before the workers stop, so that stopping does not count. */
  endLoad(): void {
    this.#measured = this.measure();
  }

  /** Measures a wait: for a page of the source, for room for a page, or at the end for the last acks. */
  async time<T>(what: 'read' | 'room' | 'drain', wait: Promise<T>): Promise<T> {
    const beganMs = this.#nowMs();
    try {
      return await wait;
    } finally {
      this.#waitedMs[what] += this.#nowMs() - beganMs;
    }
  }

  onReady(id: string): void {
    this.#workers.set(id, this.#sumsOf(id));
    this.#readySinceMs.set(id, this.#nowMs());
  }

  onAck(id: string, ack: Ack): void {
    const sums = this.#sumsOf(id);
    const { claimMs, copyMs, commitMs } = ack.steps ?? noSteps;
    const stepsMs = claimMs + copyMs + commitMs;
    // With several connections, most of the steps may have passed while the worker did something else.
    const share = stepsMs > ack.loadMs ? ack.loadMs / stepsMs : 1;
    this.#workers.set(id, {
      ...sums,
      batches: sums.batches + 1,
      transcodeMs: sums.transcodeMs + ack.transcodeMs,
      loadMs: sums.loadMs + ack.loadMs,
      claimMs: sums.claimMs + claimMs * share,
      copyMs: sums.copyMs + copyMs * share,
      commitMs: sums.commitMs + commitMs * share,
      handOverMs: sums.handOverMs + ack.arrival.handOverMs,
      ipcMs: sums.ipcMs + ack.arrival.ipcMs,
      peakMemoryBytes: ack.peakMemoryBytes,
    });
  }

  /** The time that the worker spent on another run does not count for this one. */
  onAckOfOther(id: string, { transcodeMs, loadMs }: Ack): void {
    const sinceMs = this.#readySinceMs.get(id);
    if (sinceMs === undefined) return;
    // It may have begun before it was ready for this run.
    this.#readySinceMs.set(id, Math.min(this.#nowMs(), sinceMs + transcodeMs + loadMs));
  }

  onGone(id: string): void {
    const sinceMs = this.#readySinceMs.get(id);
    if (sinceMs === undefined) return;
    const sums = this.#sumsOf(id);
    this.#workers.set(id, { ...sums, readyMs: sums.readyMs + this.#nowMs() - sinceMs });
    this.#readySinceMs.delete(id);
  }

  /** The measurements so far. */
  measure(): Measurement {
    if (this.#measured !== undefined) return this.#measured;
    const nowMs = this.#nowMs();
    const load = this.#load ?? {
      ...{ beganMs: nowMs, processors: this.#readProcessors(), readers: 1, readHeldMs: () => 0 },
    };
    const heldMs = load.readHeldMs() / load.readers;
    return {
      implementation: this.#implementation,
      loadMs: nowMs - load.beganMs,
      readMs: Math.max(0, this.#waitedMs.read / load.readers - heldMs),
      heldMs,
      roomMs: this.#waitedMs.room / load.readers,
      drainMs: this.#waitedMs.drain,
      processorShare: shareBetween(load.processors, this.#readProcessors()),
      workers: Array.from(this.#workers, ([id, sums]) => {
        const sinceMs = this.#readySinceMs.get(id) ?? nowMs;
        return describeWorker(id, { ...sums, readyMs: sums.readyMs + nowMs - sinceMs });
      }),
    };
  }

  #sumsOf(id: string): WorkerSums {
    return this.#workers.get(id) ?? nothing;
  }
}

function describeWorker(id: string, sums: WorkerSums): WorkerMeasurement {
  // May be negative by a little: a worker counts as ready only once its message has arrived.
  const idleMs = Math.max(0, sums.readyMs - sums.transcodeMs - sums.loadMs);
  return { id, ...sums, idleMs, handOverMs: Math.min(sums.handOverMs, idleMs) };
}
