/** Records one run for the report: observes its acks, and samples levels such as memory at intervals. */

import type { ProgressEvent, StartedEvent } from '../events.ts';
import type { Summary } from '../summary.ts';
import type { ObservedRun, RunObserver } from '../listeners.ts';
import { readProcessMemory } from '../../common/memory.ts';
import type { Clock } from '../../common/clock.ts';
import type { Batch } from '../../source/page.ts';
import type { Section, Series } from './report.ts';
import { TimeSeries } from './time-series.ts';
import type { Ack } from '../ack.ts';

export class SectionRecorder implements RunObserver {
  readonly #run: ObservedRun;
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #series: TimeSeries;
  /** In the order in which they started. */
  readonly #readyMs = new Map<string, number>();
  readonly #goneMs = new Map<string, number>();
  #cancelSampling: () => void = () => undefined;
  #started: StartedEvent | undefined;
  #progress: ProgressEvent | undefined;
  #summary: Summary | undefined;
  #failure: string | null = null;
  #planEndMs: number | undefined;
  #loadEndMs: number | undefined;
  #endMs: number | undefined;

  constructor(run: ObservedRun, clock: Clock) {
    this.#run = run;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#series = new TimeSeries(this.#startMs);
    this.#sample();
  }

  get source(): string {
    return this.#run.source;
  }

  onReady(id: string): void {
    this.#readyMs.set(id, this.#readyMs.get(id) ?? this.#elapsedMs());
  }

  onAck(id: string, ack: Ack, settled: readonly Batch[]): void {
    const { transcodeMs, loadMs, memoryBytes } = ack;
    const beganMs = ack.arrival.startedAtMs;
    const transcodedMs = beganMs + transcodeMs;
    const endMs = transcodedMs + loadMs;
    this.#series.add(`transcode ${id}`, beganMs, transcodedMs, transcodeMs);
    this.#series.add(`load ${id}`, transcodedMs, endMs, loadMs);
    for (const { documentCount, bytes } of settled) {
      this.#series.add('documents', beganMs, endMs, documentCount);
      this.#series.add('bytes', beganMs, endMs, bytes.byteLength);
    }
    this.#series.raise(`memory ${id}`, endMs, memoryBytes);
  }

  onGone(id: string): void {
    this.#goneMs.set(id, this.#elapsedMs());
  }

  start(event: StartedEvent): void {
    this.#started = event;
    this.#planEndMs = this.#elapsedMs();
  }

  progress(event: ProgressEvent): void {
    this.#progress = event;
  }

  finishLoad(): void {
    this.#loadEndMs = this.#elapsedMs();
  }

  complete(summary: Summary): void {
    this.#summary = summary;
    this.onEnd();
  }

  fail(why: string): void {
    this.#failure = why;
    this.onEnd();
  }

  onEnd(): void {
    this.#cancelSampling();
    this.#endMs ??= this.#elapsedMs();
  }

  /** Whether the section belongs into the report; for a collection with nothing to copy there is a notice. */
  get belongsInReport(): boolean {
    return this.#started !== undefined || this.#failure !== null;
  }

  read(): Section {
    const { meter, source } = this.#run;
    const plan = this.#started?.plan;
    const database = this.#started?.target ?? '';
    const endMs = this.#endMs ?? this.#elapsedMs();
    this.#series.extend(this.#startMs + endMs);
    const committedBefore = this.#started?.committedDocuments ?? 0;
    return {
      source,
      target: plan === undefined ? null : { database, table: `${plan.schema}.${plan.table}` },
      documents: this.#summary?.read ?? this.#progress?.documents ?? committedBefore,
      committedBefore,
      bytes: this.#summary?.bytes ?? this.#progress?.bytes ?? 0,
      expectedDocuments: this.#started?.expectedDocuments ?? 0,
      summary: this.#summary ?? null,
      failure: this.#failure,
      planEndMs: this.#planEndMs,
      loadEndMs: this.#loadEndMs,
      endMs,
      measurement: meter.measure(),
      primaryPeakRssBytes: readProcessMemory().peakMemoryBytes,
      series: this.#readSeries(endMs),
    };
  }

  #readSeries(endMs: number): Series {
    const series = this.#series;
    return {
      intervalMs: series.intervalMs,
      documents: series.read('documents'),
      bytes: series.read('bytes'),
      inFlightBatches: series.read('batches in flight'),
      inFlightBytes: series.read('bytes in flight'),
      primaryRssBytes: series.read('memory'),
      workers: Array.from(this.#readyMs, ([id, readyMs]) => ({
        id,
        readyMs,
        goneMs: this.#goneMs.get(id) ?? endMs,
        transcodeMs: series.read(`transcode ${id}`),
        loadMs: series.read(`load ${id}`),
        memoryBytes: this.#readMemory(id),
      })),
    };
  }

  /** Null before the worker's first ack, and after its end. */
  #readMemory(id: string): (number | null)[] {
    const goneMs = this.#goneMs.get(id) ?? Infinity;
    return this.#series.read(`memory ${id}`).map((memoryBytes, index) => {
      const isGone = index * this.#series.intervalMs > goneMs;
      return memoryBytes === 0 || isGone ? null : memoryBytes;
    });
  }

  /** Samples what has no events, once per interval. */
  #sample(): void {
    const nowMs = this.#clock.nowMs();
    const { batches, bytes } = this.#run.inFlight();
    this.#series.raise('batches in flight', nowMs, batches);
    this.#series.raise('bytes in flight', nowMs, bytes);
    this.#series.raise('memory', nowMs, readProcessMemory().memoryBytes);
    this.#cancelSampling = this.#clock.after(this.#series.intervalMs, () => {
      this.#sample();
    });
  }

  #elapsedMs(): number {
    return this.#clock.nowMs() - this.#startMs;
  }
}
