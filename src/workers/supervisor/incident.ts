/**
 * Deaths of workers that follow closely on each other. They may have one cause, such as a kill of all, so that a batch is to blame only if
 * its worker was the only one.
 */

import type { Clock } from '../../common/clock.ts';
import type { InFlight } from './in-flight.ts';

/** Workers that are killed together are gone within milliseconds; large ones, and on a busy machine, take longer. */
const calmMs = 500;

/** A batch that was on trial, and how its worker ended. */
export interface Accusation {
  readonly entry: InFlight;
  readonly how: string;
}

export class Incident {
  readonly #clock: Clock;
  readonly #onOver: (accusation: Accusation | undefined) => void;
  #deaths = 0;
  #accusation: Accusation | undefined;
  #cancel: () => void = () => undefined;

  /** @param onOver called once no worker has died for a while, with the batch to blame */
  constructor(clock: Clock, onOver: (accusation: Accusation | undefined) => void) {
    this.#clock = clock;
    this.#onOver = onOver;
  }

  get isUnderWay(): boolean {
    return this.#deaths > 0;
  }

  /** @param accusation if the worker had a batch on trial */
  record(accusation: Accusation | undefined): void {
    this.#deaths++;
    this.#accusation ??= accusation;
    this.#cancel();
    this.#awaitCalm(() => {
      // Deaths that came while this process was busy are heard before a second timer.
      this.#awaitCalm(() => {
        const found = this.#deaths === 1 ? this.#accusation : undefined;
        this.#deaths = 0;
        this.#accusation = undefined;
        this.#onOver(found);
      });
    });
  }

  #awaitCalm(action: () => void): void {
    this.#cancel = this.#clock.after(calmMs / 2, action);
  }
}
