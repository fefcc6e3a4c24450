/** Who hears of workers, by their ids. Nothing of it is needed for the work itself. */

import type { Batch } from '../source/page.ts';
import type { WorkerDeath } from './worker-death.ts';
import type { Ack } from './ack.ts';

/** Hears of one run, from its beginning until it is over. */
export interface RunListener {
  /** A worker is ready for the run's batches. */
  onReady?(workerId: string): void;
  /** An ack of the run was applied; it settled these batches, or parts of one that was split. */
  onAck?(workerId: string, ack: Ack, settled: readonly Batch[]): void;
  /** Each of these, once the ack is told. */
  onSettled?(batch: Batch): void;
  /** A worker has done a batch of another run meanwhile. */
  onAckOfOther?(workerId: string, ack: Ack): void;
  onGone?(workerId: string): void;
}

/** Hears of the workers themselves, whatever runs they work for. */
export interface PoolListener {
  onDeath?(death: WorkerDeath): void;
}
