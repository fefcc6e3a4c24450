/** Splits the time that some work takes into named steps, which may come again. */

export class Stopwatch<Step extends string> {
  readonly #nowMs: () => number;
  readonly #ms = new Map<Step, number>();
  #sinceMs: number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  /** The time since the last call, or since the beginning, went into this step. */
  lap(step: Step): void {
    const nowMs = this.#nowMs();
    this.#ms.set(step, this.ms(step) + nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
  }

  ms(step: Step): number {
    return this.#ms.get(step) ?? 0;
  }
}
