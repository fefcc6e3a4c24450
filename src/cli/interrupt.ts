/** What a signal to stop means: the first ends the command in order, another one at once. */

import { InterruptedError, type StopSignal } from '../common/errors.ts';

/**
 * `timeout` and npm pass on a signal to a process that has got it already, as one of the group. Nobody presses Ctrl-C twice
 * in so short a time and means two things by it.
 */
const echoMs = 500;

export class Interrupt {
  readonly #controller = new AbortController();
  #first: { readonly name: StopSignal; readonly atMs: number } | undefined;

  /** Aborted by the first signal, with the reason to throw. */
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
