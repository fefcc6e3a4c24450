/** Listeners of a job: they receive its events, and those of the workers of each run. Examples: progress, metrics, the report. */

import type { EventListener, RunEvent } from './events.ts';
import type { RunMeter } from './run-meter.ts';
import type { RunListener } from './run-listener.ts';

export interface JobListener extends EventListener {
  /** A run begins. @returns the listener for its workers and acks */
  onRun?(run: ObservedRun): RunObserver;
}

export interface RunObserver extends RunListener {
  /** The run has ended, successfully or not. */
  onEnd?(): void;
}

export interface ObservedRun {
  readonly source: string;
  readonly meter: RunMeter;
  /** See `Supervisor.inFlight`. */
  inFlight(): { readonly batches: number; readonly bytes: number };
}

/** Several listeners as one; they are called in the given order. */
export class Listeners {
  readonly #listeners: readonly JobListener[];

  constructor(listeners: readonly JobListener[]) {
    this.#listeners = listeners;
  }

  /** Bound, so that it can be passed on as a function. */
  readonly onEvent = (event: RunEvent): void => {
    for (const listener of this.#listeners) listener.onEvent?.(event);
  };

  onRun(run: ObservedRun): RunObserver[] {
    return this.#listeners.flatMap((listener) => listener.onRun?.(run) ?? []);
  }
}
