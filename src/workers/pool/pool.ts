/** The interface of a worker pool: spawn, send, report the end. All policy is in the supervisor. */

import type { FromWorker, ToWorker } from '../protocol.ts';

/** How a worker ended: an exit code, or the signal that killed it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Further details, such as an uncaught error. */
  readonly reason?: string | undefined;
}

export interface PoolWorker {
  /** Unique within a command: `4711` for a process, `4711/2` for a thread, `4711/inline-2`. */
  readonly id: string;
  /** Sends a message to the worker. A message to a dying worker is lost without an error; `onGone` follows. */
  send(message: ToWorker): void;
  /** Kills it at once, even in the middle of work. */
  kill(): void;
}

/** Called asynchronously, one at a time. */
export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  /** The worker is gone. No message from it follows, and none to it is in transit. */
  onGone(exit: Exit): void;
}

export interface Pool {
  /** Whether workers run apart from the primary. If not, none of them can hang while the primary does not. */
  readonly isBeside: boolean;
  spawn(events: WorkerEvents): PoolWorker;
}
