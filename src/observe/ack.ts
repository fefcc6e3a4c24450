/** What a worker tells of a batch once it is committed. */

import type { Comparison } from './comparison.ts';

/** One batch in work and one on its way, so that a worker never waits for the next. */
export const creditPerWorker = 2;

/** How a batch came to its worker. Moments are those of the machine's clock, see `readMachineMs`. */
export interface Arrival {
  /** When the worker began on it. */
  readonly startedAtMs: number;
  /** From being sent to being received; a worker that is transcoding receives nothing meanwhile. */
  readonly ipcMs: number;
  /** For how long the worker had nothing to do before it began on this batch. */
  readonly idleMs: number;
  /** For how much of that the batch was already on its way. */
  readonly handOverMs: number;
}

/** What loading a batch took, by step. */
export interface LoadSteps {
  /** BEGIN and the ledger's row. What goes before another attempt, such as connecting again, counts here as well. */
  readonly claimMs: number;
  /** The rows and the dead letters. */
  readonly copyMs: number;
  readonly commitMs: number;
}

/** What became of a drain. */
export interface MergeOutcome {
  /** Its slot has gone on, or back: nothing was done, and what waits in it is to be looked at again. */
  readonly isStale: boolean;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Documents whose rows Postgres refuses for now. */
  readonly refused: number;
  readonly deadLettered: number;
}

/** How a batch ended; the numbers are those of its row in the ledger. */
export interface Ack {
  /** True when an earlier delivery of the same batch had committed already. */
  readonly isDuplicate: boolean;
  readonly documentCount: number;
  readonly copied: number;
  readonly deadLettered: number;
  readonly transcodeMs: number;
  readonly loadMs: number;
  /** Absent when nothing was loaded. */
  readonly steps?: LoadSteps | undefined;
  readonly arrival: Arrival;
  /** How often Postgres was tried again since the last ack; absent when it was not. */
  readonly retries?: number | undefined;
  /**
   * Of the worker, now and at most so far: the resident set of a process of its own; of a thread its heap, and what that
   * holds outside of it; 0 where the worker has none of its own.
   */
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  /** What became of documents that changed. */
  readonly merge?: MergeOutcome | undefined;
  /** What a comparison found. */
  readonly comparison?: Comparison | undefined;
}
