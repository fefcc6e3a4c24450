/**
 * Workers in the primary's own thread: they only add connections, and messages are not serialized. They share the event loop with
 * the reader. A crash or a blocked event loop affects all of them and the primary.
 */

import process from 'node:process';
import { toWireError } from '../../common/errors.ts';
import { noMemoryOfItsOwn } from '../../common/memory.ts';
import type { CreateWorker, HostedWorker } from '../worker/port.ts';
import type { Exit, Pool, PoolWorker, WorkerEvents } from './pool.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';

/** Makes ids unique over several pools. */
let spawned = 0;

/** @param load imports the worker, which is loaded only when one is spawned */
export function createInlinePool(load: () => Promise<CreateWorker>): Pool {
  return {
    isBeside: false,
    spawn: (events) => new InlineWorker(`${process.pid}/inline-${++spawned}`, events, load),
  };
}

/**
 * Every message is delivered by `setImmediate`, which keeps their order: no side is called synchronously, and before a worker
 * transcodes, the reader has requested its next page and sockets have been served.
 */
class InlineWorker implements PoolWorker {
  readonly id: string;
  readonly #events: WorkerEvents;
  #worker: HostedWorker | undefined;
  #isGone = false;

  constructor(id: string, events: WorkerEvents, load: () => Promise<CreateWorker>) {
    this.id = id;
    this.#events = events;
    load().then(
      (createWorker) => {
        this.#host(createWorker);
      },
      (error: unknown) => {
        this.#end({ code: 1, signal: null, reason: toWireError(error).message });
      },
    );
  }

  #host(createWorker: CreateWorker): void {
    if (this.#isGone) return;
    const worker = createWorker({
      send: (message) => {
        this.#send(message);
      },
      leave: () => {
        this.#end({ code: 0, signal: null });
      },
      crash: (crashReport) => {
        this.#send(crashReport);
        this.#end({ code: 1, signal: null });
      },
      readMemory: () => noMemoryOfItsOwn,
    });
    this.#worker = worker;
    setImmediate(() => {
      if (!this.#isGone) worker.listen();
    });
  }

  send(message: ToWorker): void {
    setImmediate(() => {
      if (!this.#isGone) this.#worker?.receive(message);
    });
  }

  kill(): void {
    this.#end({ code: null, signal: 'kill' });
  }

  /** Messages sent after the end are dropped. Earlier ones are delivered before `onGone`. */
  #send(message: FromWorker): void {
    if (this.#isGone) return;
    setImmediate(() => {
      this.#events.onMessage(message);
    });
  }

  #end(exit: Exit): void {
    if (this.#isGone) return;
    this.#isGone = true;
    // Breaks its connection, so that Postgres rolls back the open transaction.
    this.#worker?.kill();
    setImmediate(() => {
      this.#events.onGone(exit);
    });
  }
}
