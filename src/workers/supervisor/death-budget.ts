/** How many deaths of workers a run tolerates: bisecting a poison batch takes many, but a run that cannot work must fail soon. */

/** Workers that die before they are ready have a permanent problem, such as a missing module or no memory. */
const maxEarlyDeathsInARow = 5;

/** Bisecting 1,000,000 documents takes 20 deaths, plus two at either end. */
const maxDeathsWithoutAck = 30;

/** Doubles with each death in a row. */
const minBackOffMs = 50;
/** A worker that dies at work can be replaced at once. One that cannot start needs time until the cause is gone. */
const maxBackOffMs = { early: 5_000, atWork: 200 } as const;

export type DeathVerdict =
  | { readonly isExhausted: false; readonly backOffMs: number }
  | { readonly isExhausted: true; readonly why: string };

export class DeathBudget {
  #early = 0;
  #withoutAck = 0;

  /** To be called when a batch was acked. */
  recover(): void {
    this.#early = 0;
    this.#withoutAck = 0;
  }

  /** @param hadStarted whether the worker had been ready for batches */
  record(hadStarted: boolean): DeathVerdict {
    this.#withoutAck++;
    this.#early = hadStarted ? 0 : this.#early + 1;
    if (this.#early >= maxEarlyDeathsInARow) {
      return { isExhausted: true, why: `${this.#early} workers in a row died before they were ready` };
    }
    if (this.#withoutAck >= maxDeathsWithoutAck) {
      return {
        isExhausted: true,
        why: `${this.#withoutAck} workers in a row died without finishing a batch`,
      };
    }
    const [inARow, longest] = hadStarted
      ? [this.#withoutAck, maxBackOffMs.atWork]
      : [this.#early, maxBackOffMs.early];
    // After a first death there is no pause.
    const backOffMs = inARow === 1 ? 0 : Math.min(longest, minBackOffMs * 2 ** (inARow - 2));
    return { isExhausted: false, backOffMs };
  }
}
