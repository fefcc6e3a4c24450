/** Adds up the time of named steps; a step may occur several times. */

export class Stopwatch<Step extends string> {
  readonly #nowMs: () => number;
  readonly #ms = new Map<Step, number>();
  #sinceMs: number;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  /** Counts the time since the last call, or since the start, as this step's. */
  lap(step: Step): void {
    const nowMs = this.#nowMs();
    this.#ms.set(step, this.ms(step) + nowMs - this.#sinceMs);
    this.#sinceMs = nowMs;
  }

  ms(step: Step): number {
    return this.#ms.get(step) ?? 0;
  }
}
