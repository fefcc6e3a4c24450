/** Who hears of a job: its events, and the workers of each of its runs. Progress, metrics and the report are such. */

import type { EventListener, RunEvent } from './events.ts';
import type { RunMeter } from './run-meter.ts';
import type { RunListener } from './run-listener.ts';

export interface JobListener extends EventListener {
  /** A run begins. @returns who hears of its workers and acks */
  onRun?(run: ObservedRun): RunObserver;
}

export interface RunObserver extends RunListener {
  /** Nothing more comes of the run, one way or the other. */
  onEnd?(): void;
}

export interface ObservedRun {
  readonly source: string;
  readonly meter: RunMeter;
  /** See `Supervisor.inFlight`. */
  inFlight(): { readonly batches: number; readonly bytes: number };
}

/** All of them as one, each told in the given order. */
export class Listeners {
  readonly #listeners: readonly JobListener[];

  constructor(listeners: readonly JobListener[]) {
    this.#listeners = listeners;
  }

  /** Bound, so that it can be handed on alone. */
  readonly onEvent = (event: RunEvent): void => {
    for (const listener of this.#listeners) listener.onEvent?.(event);
  };

  onRun(run: ObservedRun): RunObserver[] {
    return this.#listeners.flatMap((listener) => listener.onRun?.(run) ?? []);
  }
}
