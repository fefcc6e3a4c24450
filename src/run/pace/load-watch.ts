/** Watches how long a server takes to answer while it is read, and has it read less when that doubles. */

import type { Clock } from '../../common/clock.ts';
import type { LoadLevel } from '../../config/options/limits.ts';
import type { Throttle } from '../../source/reading/throttle.ts';

/** Of the time, how much the source is read at most. */
const mostShare: Readonly<Record<LoadLevel, number>> = { low: 0.5, medium: 1, high: 1 };

/** So that a server that is slow for long is still read. */
const leastShare = 1 / 32;

const pingEveryMs = 200;
/** Only the fastest of so many pings counts. The others include delays of this process. */
const pingsPerLook = 5;
/** A server nearby answers so fast that anything doubles its time. */
const noiseMs = 1;
/** How much of the time is won back with each look at which the server was not slow. */
const stepUp = 1 / 16;

export interface LoadWatchOptions {
  /** Sends the server a command that costs it nothing. */
  readonly ping: () => Promise<void>;
  readonly throttle: Throttle;
  readonly clock: Clock;
}

export class LoadWatch {
  readonly #options: LoadWatchOptions;
  #level: LoadLevel = 'high';
  #share = 1;
  /** The fastest look of all. */
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

  /** Of the time, how much the source is read now: 0 to 1. */
  get share(): number {
    return this.#share;
  }

  setLevel(level: LoadLevel): void {
    this.#level = level;
    this.#setShare(mostShare[level]);
    if (level === 'high') this.#stopTimer?.();
    else this.#plan();
  }

  /** Resolves when nothing is asked any more. */
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
    this.#share = Math.max(leastShare, Math.min(mostShare[this.#level], share));
    this.#options.throttle.setShare(this.#share);
  }
}
