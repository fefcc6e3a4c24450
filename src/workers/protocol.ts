/** The messages between the primary and its workers: two unions, discriminated by `kind`. */

import type { WireError } from '../common/errors.ts';
import type { WorkerSettings, WorkerTarget } from '../postgres/worker-settings.ts';
import type { Batch } from '../source/page.ts';
import type { Ack } from '../observe/ack.ts';

export type ToWorker =
  /** Asks to connect early, while the plan is still being made. */
  | { readonly kind: 'connect'; readonly target: WorkerTarget }
  /** How many connections there are to be; 1 where nothing is said. */
  | { readonly kind: 'connections'; readonly count: number }
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

export type FromWorker =
  /** The first message. Messages to a process of node:cluster before this one are lost. */
  | { readonly kind: 'listening' }
  /** Connected, and waiting for batches of the run. */
  | { readonly kind: 'ready'; readonly run: number }
  /** A batch is committed. */
  | ({ readonly kind: 'ack'; readonly run: number; readonly delivery: number } & Ack)
  /**
   * A heartbeat. Of the first `received` batches that were sent to this worker it still holds the deliveries in
   * `holding`: it has answered all others.
   */
  | { readonly kind: 'alive'; readonly received: number; readonly holding: readonly number[] }
  /** Something to know that stops nothing. */
  | { readonly kind: 'notice'; readonly message: string }
  /** In place of an ack: the run cannot continue, here or elsewhere. The worker can, with other runs. */
  | {
      readonly kind: 'run-failed';
      readonly run: number;
      readonly delivery: number;
      readonly error: WireError;
    }
  /** No worker can continue; un-acked batches are not committed, or the ledger has them. */
  | { readonly kind: 'failed'; readonly error: WireError }
  /** The worker ends itself because of a bug. The same batch may succeed in another worker, or in parts. */
  | { readonly kind: 'crashing'; readonly error: WireError }
  /** The last message: the connection is closed. */
  | { readonly kind: 'drained' };

/** How often a worker sends a heartbeat. */
export const heartbeatIntervalMs = 1_000;
