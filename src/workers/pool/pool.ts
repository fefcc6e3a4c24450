/** What a pool of workers does: spawn, send, say "gone". Policy lives in the supervisor. */

import type { FromWorker, ToWorker } from '../protocol.ts';

/** How a worker ended: an exit code, or the signal that killed it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  /** What else the pool knows of its end, such as the error that nobody caught. */
  readonly reason?: string | undefined;
}

export interface PoolWorker {
  /** Tells it from every other worker of this command: `4711` is a process, `4711/2` a thread of one, `4711/inline-2`. */
  readonly id: string;
  /** Hands a message to the worker's channel. A message to a dying worker is lost without an error: "gone" follows. */
  send(message: ToWorker): void;
  /** Ends it at once, whatever it does. */
  kill(): void;
}

/** Called later than whatever called the pool or the worker, and one after the other. */
export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  /** The worker is gone. No message from it comes after this, and none to it is still on its way. */
  onGone(exit: Exit): void;
}

export interface Pool {
  /** Whether workers run beside the primary. If not, none of them can hang while the primary does not. */
  readonly isBeside: boolean;
  spawn(events: WorkerEvents): PoolWorker;
}
