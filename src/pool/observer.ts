/** Who measures a run hears of its workers here; nothing of it is needed for the work itself. */

import type { Ack, Batch } from './protocol.ts';

export interface WorkerObserver {
  /** A worker is ready for the run's batches. */
  onReady(pid: number): void;
  /** An ack was applied; it settled these batches, or parts of one that was split. */
  onAck(pid: number, ack: Ack, settled: readonly Batch[]): void;
  onGone(pid: number): void;
}
