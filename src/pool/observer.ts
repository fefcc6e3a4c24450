/** Who measures a run hears of its workers here, by their ids; nothing of it is needed for the work itself. */

import type { Ack, Batch } from './protocol.ts';

export interface WorkerObserver {
  /** A worker is ready for the run's batches. */
  onReady(id: string): void;
  /** An ack was applied; it settled these batches, or parts of one that was split. */
  onAck(id: string, ack: Ack, settled: readonly Batch[]): void;
  onGone(id: string): void;
}
