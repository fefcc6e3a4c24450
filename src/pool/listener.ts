/** Who hears of workers, by their ids. Nothing of it is needed for the work itself. */

import type { Batch } from '../source/page.ts';
import type { Ack } from './protocol.ts';

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

/** A worker that ended before it was told to. */
export interface WorkerDeath {
  readonly id: string;
  /** How it ended, for people: what follows `worker 4711`. */
  readonly how: string;
  /** Another one takes its place, and what it held. */
  readonly isReplaced: boolean;
  /** What was made of the batch that it was at, for people; null when it is simply delivered again. */
  readonly consequence: string | null;
}

/** Hears of the workers themselves, whatever runs they work for. */
export interface PoolListener {
  onDeath?(death: WorkerDeath): void;
}
