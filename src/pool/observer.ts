/** Who measures a run hears of its workers here; nothing of it is needed for the work itself. */

import type { Ack } from './protocol.ts';

export interface WorkerObserver {
  /** A worker is ready for the run's batches. */
  onReady(pid: number): void;
  /** An ack was applied. */
  onAck(pid: number, ack: Ack): void;
  onGone(pid: number): void;
}
