/** A clock that a test advances. */

import type { Clock } from '../../src/common/clock.ts';

export class TickingClock implements Clock {
  ms = 1_000_000;
  readonly #due = new Map<symbol, { readonly atMs: number; readonly action: () => void }>();

  get isIdle(): boolean {
    return this.#due.size === 0;
  }

  nowMs(): number {
    return this.ms;
  }

  after(delayMs: number, action: () => void): () => void {
    const key = Symbol('due');
    this.#due.set(key, { atMs: this.ms + delayMs, action });
    return () => this.#due.delete(key);
  }

  /** Runs the timers that are due, once each. */
  pass(ms: number): void {
    this.ms += ms;
    for (const [key, { atMs, action }] of [...this.#due]) {
      if (atMs > this.ms) continue;
      this.#due.delete(key);
      action();
    }
  }
}
