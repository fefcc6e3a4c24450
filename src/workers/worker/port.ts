/** The two sides of a worker's channel: the port for its outgoing messages, and the handler of incoming ones. */

import type { Memory } from '../../common/memory.ts';
import type { FromWorker, ToWorker } from '../protocol.ts';

export interface WorkerPort {
  send(message: FromWorker): void;
  /** Exits after the last message is sent. */
  leave(): void;
  /** Exits at once, after sending this message. */
  crash(crashReport: FromWorker): void;
  /** The bytes of a batch are not needed any more. */
  release?(bytes: Uint8Array): void;
  /** Memory of the worker. */
  readMemory(): Memory;
}

/** A worker, hosted by a process, a thread, or the primary itself. */
export interface HostedWorker {
  /** To be called once messages can be received. */
  listen(): void;
  receive(message: ToWorker): void;
  /** Ends it at once, if no process or thread is ended. */
  kill(): void;
}

export type CreateWorker = (port: WorkerPort) => HostedWorker;
