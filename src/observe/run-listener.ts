/** Listeners for workers, for observation only: the work itself does not depend on them. */

import type { Batch } from '../source/page.ts';
import type { WorkerDeath } from './worker-death.ts';
import type { Ack } from './ack.ts';

/** Observes the workers of one run. */
export interface RunListener {
  /** A worker is ready for the run's batches. */
  onReady?(workerId: string): void;
  /** An ack of the run was applied. It settled these batches, or parts of a batch that was split. */
  onAck?(workerId: string, ack: Ack, settled: readonly Batch[]): void;
  /** Called for each of these, after `onAck`. */
  onSettled?(batch: Batch): void;
  /** A worker has finished a batch of another run. */
  onAckOfOther?(workerId: string, ack: Ack): void;
  onGone?(workerId: string): void;
}

/** Observes the workers of all runs. */
export interface PoolListener {
  onDeath?(death: WorkerDeath): void;
  /** Information that stops nothing. Several workers may send the same. */
  onNotice?(message: string): void;
}
