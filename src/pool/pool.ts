/** What a pool of workers does: spawn, send, say "gone". Policy lives in the supervisor. */

import { createClusterPool } from './cluster.ts';
import type { ClusterImplementation } from '../config.ts';
import type { FromWorker, ToWorker } from './protocol.ts';

/** How a worker ended: an exit code, or the signal that killed it. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface PoolWorker {
  readonly pid: number;
  /** Hands a message to the worker's channel. A message to a dying worker is lost without an error: "gone" follows. */
  send(message: ToWorker): void;
  /** Certain death, at once. */
  kill(): void;
}

export interface WorkerEvents {
  onMessage(message: FromWorker): void;
  /** The worker is gone for certain: no message of it comes after this, and none sent to it is under way. */
  onGone(exit: Exit): void;
}

export interface Pool {
  spawn(events: WorkerEvents): PoolWorker;
}

export function createPool(implementation: ClusterImplementation): Pool {
  switch (implementation) {
    case 'cluster':
      return createClusterPool();
    case 'threads':
    case 'inline':
      throw new Error(`${implementation} is refused by the config`);
  }
}
