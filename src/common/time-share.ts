/** Limits repeated work to a share of the time. */

import { systemClock, type Clock } from './clock.ts';

export class TimeShare {
  readonly #share: number;
  readonly #clock: Clock;
  #endedMs: number;
  #tookMs = 0;

  /** @param isDueAtOnce otherwise it is due only after the first pause */
  constructor(share: number, isDueAtOnce = true, clock: Clock = systemClock) {
    this.#share = share;
    this.#clock = clock;
    this.#endedMs = isDueAtOnce ? -Infinity : clock.nowMs();
  }

  /** @param leastPauseMs the shortest pause, however little time the work took */
  isDue(leastPauseMs: number): boolean {
    return this.#clock.nowMs() - this.#endedMs >= Math.max(leastPauseMs, this.#tookMs / this.#share);
  }

  /** Does the work. If it fails, it stays due. */
  async do<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = this.#clock.nowMs();
    const result = await work();
    this.done(this.#clock.nowMs() - startedMs);
    return result;
  }

  /** The work has just been done. @param tookMs its part of the time */
  done(tookMs: number): void {
    this.#endedMs = this.#clock.nowMs();
    this.#tookMs = tookMs;
  }
}
