/** The messages between the primary and its workers: two unions on `kind`, and nothing else crosses. */

import type { WireError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { Comparison } from '../postgres/comparison.ts';
import type { Batch } from '../source/page.ts';

/** How a worker reaches Postgres. Sent over IPC, so that no password shows in a process's environment. */
export interface WorkerTarget {
  readonly postgresUrl: string;
  /** How long to keep trying to reach Postgres once it is gone. */
  readonly retryLimitMs: number;
  /** How long Postgres may be silent in the middle of a batch before its connection counts as broken. */
  readonly answerTimeoutMs: number;
}

/** What a worker needs before its first batch. */
export interface WorkerSettings extends WorkerTarget {
  /** What is done with each batch. */
  readonly purpose: 'load' | 'compare' | 'collect-keys';
  /** The run's id in the ledger. A string: the ledger's ids are bigint. */
  readonly runId: string;
  readonly plan: Plan;
}

export type ToWorker =
  /** Connect already: what is to be done is still being found out. */
  | { readonly kind: 'connect'; readonly target: WorkerTarget }
  /** A run begins, beside those that have begun and not ended. Its number names it from here on. */
  | { readonly kind: 'start'; readonly run: number; readonly settings: WorkerSettings }
  /** `delivery` counts the batches that were sent to this worker, from 1: its answer names it. */
  | {
      readonly kind: 'batch';
      readonly run: number;
      readonly delivery: number;
      readonly batch: Batch;
      readonly sentAtMs: number;
    }
  /** No batch of the run comes after this. */
  | { readonly kind: 'end'; readonly run: number }
  /** Finish what you hold, close your connection, leave. */
  | { readonly kind: 'drain' };

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
  /** What a comparison found. */
  readonly comparison?: Comparison | undefined;
}

export type FromWorker =
  /** The first message: what is sent to a process of node:cluster before it listens is lost. */
  | { readonly kind: 'listening' }
  /** Connected, and waiting for batches of the run. */
  | { readonly kind: 'ready'; readonly run: number }
  /** A batch is committed. */
  | ({ readonly kind: 'ack'; readonly run: number; readonly delivery: number } & Ack)
  /**
   * A sign of life. Of the first `received` batches that were sent to this worker it still holds the deliveries in
   * `holding`: it has answered all others.
   */
  | { readonly kind: 'alive'; readonly received: number; readonly holding: readonly number[] }
  /** In place of an ack: the run cannot go on, here or elsewhere. The worker can, with other runs. */
  | {
      readonly kind: 'run-failed';
      readonly run: number;
      readonly delivery: number;
      readonly error: WireError;
    }
  /** The worker cannot go on, and neither can another; nothing un-acked of it was committed, or the ledger knows. */
  | { readonly kind: 'failed'; readonly error: WireError }
  /** A defect came to light in the worker, which ends itself: the same batch may well succeed elsewhere, or in parts. */
  | { readonly kind: 'crashing'; readonly error: WireError }
  /** The last message: the connection is closed. */
  | { readonly kind: 'drained' };

/** How often a worker gives a sign of life. */
export const aliveEveryMs = 1_000;
