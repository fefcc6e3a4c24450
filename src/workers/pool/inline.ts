/**
 * Workers in the primary's own thread: several connections, and nothing that is handed over. They take turns with the
 * reader, and none can be told apart from the primary by the system: what crashes or blocks one does so to all.
 */

import process from 'node:process';
import { toWireError } from '../../common/errors.ts';
import { noMemoryOfItsOwn } from '../../common/memory.ts';
import type { CreateWorker, HostedWorker } from '../worker/port.ts';
import type { Exit, Pool, PoolWorker, WorkerEvents } from './pool.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';

/** Tells apart those of several pools. */
let spawned = 0;

/** @param load gets what makes a worker, which is loaded only where there is one */
export function createInlinePool(load: () => Promise<CreateWorker>): Pool {
  return {
    isBeside: false,
    spawn: (events) => new InlineWorker(`${process.pid}/inline-${++spawned}`, events, load),
  };
}

/**
 * Every message goes by way of `setImmediate`, which keeps their order: neither side is called while it calls, and
 * before a worker begins to transcode, the reader has asked for its next page and sockets have been served.
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
        this.#tell(message);
      },
      leave: () => {
        this.#end({ code: 0, signal: null });
      },
      crash: (crashReport) => {
        this.#tell(crashReport);
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

  /** Messages that it sends after its end are dropped. Earlier ones are delivered, as they come before "gone". */
  #tell(message: FromWorker): void {
    if (this.#isGone) return;
    setImmediate(() => {
      this.#events.onMessage(message);
    });
  }

  #end(exit: Exit): void {
    if (this.#isGone) return;
    this.#isGone = true;
    // Breaks its connection, so that Postgres rolls back what it has under way.
    this.#worker?.kill();
    setImmediate(() => {
      this.#events.onGone(exit);
    });
  }
}
