/** Joins messages of a process's channel with the bytes of its pipe, in the order of the channel. */

import type { ToWorker } from '../protocol.ts';

export class Inlet {
  readonly #deliver: (message: ToWorker) => void;
  /** A batch whose bytes have not arrived yet delays later messages. */
  readonly #messages: ToWorker[] = [];
  /** Bytes of batches whose message has not arrived yet. */
  readonly #bytes: Uint8Array[] = [];

  constructor(deliver: (message: ToWorker) => void) {
    this.#deliver = deliver;
  }

  /** @param message a batch comes without its bytes */
  takeMessage(message: ToWorker): void {
    this.#messages.push(message);
    this.#deliverWhole();
  }

  takeBytes(bytes: Uint8Array): void {
    this.#bytes.push(bytes);
    this.#deliverWhole();
  }

  #deliverWhole(): void {
    for (let [next] = this.#messages; next !== undefined; [next] = this.#messages) {
      if (next.kind === 'batch') {
        const bytes = this.#bytes.shift();
        if (bytes === undefined) return;
        next = { ...next, batch: { ...next.batch, bytes } };
      }
      this.#messages.shift();
      this.#deliver(next);
    }
  }
}
