/** Measures how long a server takes to answer while it is read, and slows reading when that doubles. */

import type { Clock } from '../../common/clock.ts';
import type { LoadLevel } from '../../config/options/limits.ts';
import type { Throttle } from '../../source/reading/throttle.ts';

/** The largest share of the time in which the source is read, by level. */
const maxShare: Readonly<Record<LoadLevel, number>> = { low: 0.5, medium: 1, high: 1 };

/** The smallest share, so that a server that stays slow is still read. */
const minShare = 1 / 32;

const pingEveryMs = 200;
/** Only the fastest of so many pings counts. The others include delays of this process. */
const pingsPerLook = 5;
/** A server nearby answers so fast that noise could double its time. */
const noiseMs = 1;
/** How much the share rises after each measurement at which the server was not slow. */
const stepUp = 1 / 16;

export interface LoadWatchOptions {
  /** Sends the server a command of negligible cost. */
  readonly ping: () => Promise<void>;
  readonly throttle: Throttle;
  readonly clock: Clock;
}

export class LoadWatch {
  readonly #options: LoadWatchOptions;
  #level: LoadLevel = 'high';
  #share = 1;
  /** The fastest measurement so far. */
  #baseMs = Infinity;
  #times: number[] = [];
  #stopTimer: (() => void) | undefined;
  #isClosed = false;
  #pinging: Promise<void> = Promise.resolve();

  constructor(options: LoadWatchOptions) {
    this.#options = options;
  }

  get level(): LoadLevel {
    return this.#level;
  }

  /** The present share of the time in which the source is read, from 0 to 1. */
  get share(): number {
    return this.#share;
  }

  setLevel(level: LoadLevel): void {
    this.#level = level;
    this.#setShare(maxShare[level]);
    if (level === 'high') this.#stopTimer?.();
    else this.#plan();
  }

  /** Resolves when the last ping has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.();
    await this.#pinging;
  }

  #plan(): void {
    this.#stopTimer?.();
    if (this.#isClosed || this.#level === 'high') return;
    this.#stopTimer = this.#options.clock.after(pingEveryMs, () => {
      this.#pinging = this.#ping();
    });
  }

  async #ping(): Promise<void> {
    const { ping, clock } = this.#options;
    const beganMs = clock.nowMs();
    try {
      await ping();
      this.#times.push(clock.nowMs() - beganMs);
    } catch {
      // A server that is down is not read either. Its readers report the error.
    }
    if (this.#times.length >= pingsPerLook) this.#look();
    this.#plan();
  }

  #look(): void {
    const fastestMs = Math.min(...this.#times);
    this.#times = [];
    this.#baseMs = Math.min(this.#baseMs, fastestMs);
    const isSlow = fastestMs > 2 * this.#baseMs + noiseMs;
    this.#setShare(isSlow ? this.#share / 2 : this.#share + stepUp);
  }

  #setShare(share: number): void {
    this.#share = Math.max(minShare, Math.min(maxShare[this.#level], share));
    this.#options.throttle.setShare(this.#share);
  }
}
