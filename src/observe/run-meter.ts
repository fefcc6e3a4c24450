/** Measures one run in the primary: adds up what it waits for, and what its workers tell with each ack. */

import type { ClusterImplementation } from '../config/config.ts';
import type { Clock } from '../common/clock.ts';
import type { RunListener } from './run-listener.ts';
import type { Measurement, WorkerMeasurement } from './measurement.ts';
import { readProcessorTimes, shareBetween, type ProcessorTimes } from './processors.ts';
import type { Ack } from './ack.ts';

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

export class RunMeter implements RunListener {
  readonly #implementation: ClusterImplementation;
  readonly #nowMs: () => number;
  readonly #readProcessors: () => ProcessorTimes;
  readonly #workers = new Map<string, WorkerSums>();
  /** Of the workers that are ready; their `readyMs` is what came before. */
  readonly #readySinceMs = new Map<string, number>();
  readonly #waitedMs = { read: 0, room: 0, drain: 0 };
  #load:
    { readonly beganMs: number; readonly processors: ProcessorTimes; readonly readers: number } | undefined;
  /** Set when the load has ended: what is measured changes no more. */
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

  /** @param readers how many there are that wait side by side */
  beginLoad(readers = 1): void {
    const beganMs = this.#nowMs();
    this.#load = { beganMs, processors: this.#readProcessors(), readers };
    // Workers that connected while the plan was made are ready before there is anything to do.
    for (const id of this.#readySinceMs.keys()) this.#readySinceMs.set(id, beganMs);
  }

  /** To be called before the workers leave, so that their leaving does not count. */
  endLoad(): void {
    this.#measured = this.measure();
  }

  /** What is waited for: a page of the source, room for one that a reader has, or, when all is read, the last acks. */
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
    this.#workers.set(id, {
      ...sums,
      batches: sums.batches + 1,
      transcodeMs: sums.transcodeMs + ack.transcodeMs,
      loadMs: sums.loadMs + ack.loadMs,
      claimMs: sums.claimMs + (ack.steps?.claimMs ?? 0),
      copyMs: sums.copyMs + (ack.steps?.copyMs ?? 0),
      commitMs: sums.commitMs + (ack.steps?.commitMs ?? 0),
      handOverMs: sums.handOverMs + ack.arrival.handOverMs,
      ipcMs: sums.ipcMs + ack.arrival.ipcMs,
      peakMemoryBytes: ack.peakMemoryBytes,
    });
  }

  /** The worker was there for another run meanwhile. */
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

  /** What there is so far. */
  measure(): Measurement {
    if (this.#measured !== undefined) return this.#measured;
    const nowMs = this.#nowMs();
    const load = this.#load ?? { beganMs: nowMs, processors: this.#readProcessors(), readers: 1 };
    return {
      implementation: this.#implementation,
      loadMs: nowMs - load.beganMs,
      readMs: this.#waitedMs.read / load.readers,
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
  // The clocks are the same, but a worker's moment of being ready is known only when the message has come.
  const idleMs = Math.max(0, sums.readyMs - sums.transcodeMs - sums.loadMs);
  return { id, ...sums, idleMs, handOverMs: Math.min(sums.handOverMs, idleMs) };
}
