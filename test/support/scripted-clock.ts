/** Time that the test advances. */

import type { Clock } from '../../src/common/clock.ts';

export class ScriptedClock implements Clock {
  #nowMs = 0;
  #due: { atMs: number; action: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): () => void {
    const entry = { atMs: this.#nowMs + delayMs, action };
    this.#due.push(entry);
    return () => (this.#due = this.#due.filter((other) => other !== entry));
  }

  /** Advances time in steps of a second, and runs the timers that are due. */
  pass(ms: number, eachStep: () => void = () => undefined): void {
    for (const endMs = this.#nowMs + ms; this.#nowMs < endMs;) {
      this.jump(Math.min(1000, endMs - this.#nowMs));
      eachStep();
    }
  }

  /** Advances time in one step, as when the process was stopped. */
  jump(ms: number): void {
    this.#nowMs += ms;
    const due = this.#due.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#due = this.#due.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { action } of due) action();
  }
}
