/** The unexpected end of a worker, as events report it. */

/** A worker exited unexpectedly. */
export interface WorkerDeath {
  readonly id: string;
  /** How it ended, as text that follows `worker 4711`. */
  readonly how: string;
  /** A replacement is started, and its batches are redelivered. */
  readonly isReplaced: boolean;
}
