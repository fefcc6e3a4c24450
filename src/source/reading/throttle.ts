/** Limits the readers of a source to a rate, and to a share of the time. Both limits can change at any time. */

import { systemClock, type Clock } from '../../common/clock.ts';
import type { Rate } from '../../common/rate.ts';

/** Short, so that waiting readers soon notice a change, or the end. */
const longestSleepMs = 100;

/** After a pause, the readers may catch up on at most this much of it. */
const burstMs = 1_000;

/** A page that was read, and how long it took. */
export interface ReadPage {
  readonly documents: number;
  readonly bytes: number;
  readonly readMs: number;
}

export class Throttle {
  readonly #clock: Clock;
  #rate: Rate | null = null;
  #share = 1;
  /** The readers that read in parallel. They share the pauses. */
  #readers = 0;
  #hasBegun = false;
  /** From when on the rate allows the next page. */
  #paidMs = -Infinity;
  /** From when on the share of the time allows the next page. */
  #restedMs = -Infinity;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  get rate(): Rate | null {
    return this.#rate;
  }

  get isOn(): boolean {
    return this.#rate !== null || this.#share < 1;
  }

  /** Pages that were read before do not count. */
  setRate(rate: Rate | null): void {
    this.#rate = rate;
    this.#paidMs = -Infinity;
  }

  /** @param share of the time in which the source is read, above 0 and up to 1 */
  setShare(share: number): void {
    this.#share = share;
    this.#restedMs = Math.min(this.#restedMs, this.#clock.nowMs() + longestSleepMs);
  }

  /** Whether a reader reads, or has read. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  enter(): void {
    this.#hasBegun = true;
    this.#readers++;
  }

  leave(): void {
    this.#readers--;
  }

  /** Limits a page to the documents of one second. @param bytesPerDocument 0 if it is not known */
  limitPage(itemsPerPage: number, bytesPerDocument: number): number {
    const rate = this.#rate;
    if (rate === null) return itemsPerPage;
    const documents =
      rate.unit === 'documents'
        ? rate.perSecond
        : bytesPerDocument === 0
          ? itemsPerPage
          : Math.floor(rate.perSecond / bytesPerDocument);
    return Math.max(1, Math.min(itemsPerPage, documents));
  }

  /** Resolves when the next page may be requested. @throws the signal's reason */
  async wait(signal: AbortSignal): Promise<void> {
    while (this.isOn) {
      signal.throwIfAborted();
      const leftMs = Math.max(this.#paidMs, this.#restedMs) - this.#clock.nowMs();
      if (leftMs <= 0) return;
      await new Promise<void>((resolve) => {
        this.#clock.after(Math.min(leftMs, longestSleepMs), resolve);
      });
    }
  }

  /** Call it after each page. */
  charge({ documents, bytes, readMs }: ReadPage): void {
    const nowMs = this.#clock.nowMs();
    if (this.#rate !== null) {
      const { unit, perSecond } = this.#rate;
      const seconds = (unit === 'documents' ? documents : bytes) / perSecond;
      this.#paidMs = Math.max(this.#paidMs, nowMs - burstMs) + seconds * 1000;
    }
    const restMs = (readMs * (1 / this.#share - 1)) / Math.max(1, this.#readers);
    this.#restedMs = Math.max(this.#restedMs, nowMs) + restMs;
  }
}
