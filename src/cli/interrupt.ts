/** The first signal to stop shuts the command down gracefully; the second ends it at once. */

import { InterruptedError, type StopSignal } from '../common/errors.ts';

/**
 * `timeout` and npm forward a signal to a process that has already received it as a member of the process group. Nobody
 * presses Ctrl-C twice within this time on purpose.
 */
const echoMs = 500;

export class Interrupt {
  readonly #controller = new AbortController();
  #first: { readonly name: StopSignal; readonly atMs: number } | undefined;

  /** Aborted by the first signal; the reason is an InterruptedError. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  hear(name: StopSignal, nowMs: number): 'first' | 'echo' | 'again' {
    if (this.#first === undefined) {
      this.#first = { name, atMs: nowMs };
      this.#controller.abort(new InterruptedError(name));
      return 'first';
    }
    return this.#first.name === name && nowMs - this.#first.atMs < echoMs ? 'echo' : 'again';
  }
}
