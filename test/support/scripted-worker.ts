/** A worker that does what the test's batches say, for tests of the pools: see `test/unit/workers/supervisor/pools.test.ts`. */

import { toWireError } from '../../src/common/errors.ts';
import type { ToWorker } from '../../src/workers/protocol.ts';
import type { HostedWorker, WorkerPort } from '../../src/workers/worker/port.ts';

/** What a batch requests, in `Batch.poison`. */
export type Order =
  /** Say how many bytes came, and their sum. */
  | 'echo'
  /** Say something a thousand times, then leave, or crash. */
  | 'talk-and-leave'
  | 'talk-and-crash'
  /** Say something again and again, for ever. */
  | 'talk-on'
  | 'throw'
  | 'exit'
  | 'loop'
  | 'fill-memory';

export const talk = 1000;

export class ScriptedWorker implements HostedWorker {
  readonly #port: WorkerPort;
  #talking: NodeJS.Timeout | undefined;

  constructor(port: WorkerPort) {
    this.#port = port;
  }

  listen(): void {
    this.#port.send({ kind: 'listening' });
  }

  receive(message: ToWorker): void {
    if (message.kind !== 'batch') {
      this.#port.send({ kind: 'drained' });
      this.#port.leave();
      return;
    }
    const { bytes, poison, number } = message.batch;
    switch (poison as Order) {
      case 'echo':
        this.#say(
          number,
          bytes.byteLength,
          bytes.reduce((sum, byte) => sum + byte, 0),
        );
        return;
      case 'talk-and-leave':
        for (let i = 0; i < talk; i++) this.#say(i);
        this.#port.leave();
        return;
      case 'talk-and-crash':
        for (let i = 0; i < talk; i++) this.#say(i);
        this.#port.crash({ kind: 'crashing', error: toWireError(new Error('on purpose')) });
        return;
      case 'talk-on':
        this.#talking = setInterval(() => {
          this.#say(number);
        }, 1);
        return;
      case 'throw':
        throw new Error('an uncaught exception');
      case 'exit':
        return process.exit(0);
      case 'loop':
        for (;;);
      case 'fill-memory':
        for (const all: unknown[] = []; ;) all.push(Array.from({ length: 1000 }, () => ({ number })));
    }
  }

  kill(): void {
    // Keeps sending: the pool must drop the messages.
    this.#talking?.unref();
  }

  #say(received: number, ...holding: number[]): void {
    this.#port.send({ kind: 'alive', received, holding });
  }
}
