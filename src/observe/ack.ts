/** The acknowledgement of a batch: what a worker reports once the batch is committed. */

import type { Comparison } from './comparison.ts';

/** How a batch reached its worker. Times are those of `readMachineMs`. */
export interface Arrival {
  /** When the worker began to work on it. */
  readonly startedAtMs: number;
  /** From sending to receiving. A worker cannot receive while it is transcoding, so this includes that time. */
  readonly ipcMs: number;
  /** How long the worker had nothing to do before it began on this batch. */
  readonly idleMs: number;
  /** How much of `idleMs` the batch was already in transit. */
  readonly handOverMs: number;
}

/** The time for loading a batch, by step. With several connections, the steps overlap those of other batches, and transcoding. */
export interface LoadSteps {
  /** BEGIN and the ledger's row. What precedes another attempt, such as reconnecting, counts here as well. */
  readonly claimMs: number;
  /** Writing rows and dead letters. */
  readonly copyMs: number;
  readonly commitMs: number;
}

/** The result of merging a drain: changes that were taken from the journal together. */
export interface MergeOutcome {
  /** Its slot has moved since: nothing was merged, and its changes must be read again. */
  readonly isStale: boolean;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Documents whose rows Postgres rejects; they are tried again. */
  readonly refused: number;
  readonly deadLettered: number;
}

/** The documents of a batch. Each is counted once: as copied, dead-lettered or dropped. */
export interface BatchAccount {
  readonly documentCount: number;
  /** Documents that have become rows. */
  readonly copied: number;
  readonly deadLettered: number;
  /** Documents that a transform has dropped. */
  readonly dropped: number;
  /** Rows beyond one for each copied document. */
  readonly addedRows: number;
}

/** The outcome of a batch; the counts are those of its row in the ledger. */
export interface Ack extends BatchAccount {
  /** True if an earlier delivery of the same batch has committed. */
  readonly isDuplicate: boolean;
  /** The worker's time since its last ack that it spent transcoding. With one connection, it is that of this batch. */
  readonly transcodeMs: number;
  /** The worker's time since its last ack that it only waited for Postgres. */
  readonly loadMs: number;
  /** The part of `loadMs` in which another batch was waiting for a free connection. */
  readonly stalledMs: number;
  /** The worker's connections to Postgres. */
  readonly connections: number;
  /** Absent if nothing was loaded. */
  readonly steps?: LoadSteps | undefined;
  readonly arrival: Arrival;
  /** Retries on Postgres since the last ack; absent if there were none. */
  readonly retries?: number | undefined;
  /**
   * The worker's memory now, and its highest value so far. Of a process: its resident set. Of a thread: its heap and its
   * external memory. Of an inline worker: 0.
   */
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  /** Present for a drain. */
  readonly merge?: MergeOutcome | undefined;
  /** Present for a comparison. */
  readonly comparison?: Comparison | undefined;
}
