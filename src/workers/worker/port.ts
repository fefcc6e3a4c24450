/** The two sides of a worker's channel, as the worker sees them: what it says goes into a port, what it hears comes in. */

import type { Memory } from '../../common/memory.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';

export interface WorkerPort {
  send(message: FromWorker): void;
  /** Ends the worker after its last message. */
  leave(): void;
  /** Ends the worker in the middle of its work, after these words. */
  crash(crashReport: FromWorker): void;
  /** The bytes of a batch are not looked at any more. */
  release?(bytes: Uint8Array): void;
  /** What the worker has for itself. */
  readMemory(): Memory;
}

/** What a process, a thread, or the primary itself hosts. */
export interface HostedWorker {
  /** To be called once messages can be received. */
  listen(): void;
  receive(message: ToWorker): void;
  /** Ends it at once, where no end of a process or thread does. */
  kill(): void;
}

export type CreateWorker = (port: WorkerPort) => HostedWorker;
