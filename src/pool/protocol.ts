/** The messages between the primary and its workers: two unions on `kind`, and nothing else crosses. */

import type { WireError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { ExtraCount } from '../transcode/extra-counter.ts';

/** What a worker needs before its first batch. Sent over IPC, so that no password shows in a process's environment. */
export interface WorkerSettings {
  readonly postgresUrl: string;
  /** The run's id in the ledger. A string: the ledger's ids are bigint. */
  readonly runId: string;
  readonly plan: Plan;
}

/** One page of documents on its way. */
export interface Batch {
  /** Unique in its run, from 1: the key of the batch's row in the ledger. */
  readonly number: number;
  readonly count: number;
  /** The bytes of a BSON array of documents. */
  readonly documents: Uint8Array;
  /** The batch's interval of `_id` is (afterId, lastId], each a BSON document `{_id: …}`; null: from the beginning. */
  readonly afterId: Uint8Array | null;
  readonly lastId: Uint8Array;
}

export type ToWorker =
  | { readonly kind: 'start'; readonly settings: WorkerSettings }
  | { readonly kind: 'batch'; readonly batch: Batch }
  /** Finish what you hold, close your connection, leave. */
  | { readonly kind: 'drain' };

/** How a batch ended; the numbers are those of its row in the ledger. */
export interface Ack {
  readonly number: number;
  /** True when an earlier delivery of the same batch had committed already. */
  readonly isDuplicate: boolean;
  readonly copied: number;
  readonly deadLettered: number;
  /** Values that this batch put into the extra column. */
  readonly extra: readonly ExtraCount[];
  readonly transcodeMs: number;
  readonly loadMs: number;
}

export type FromWorker =
  /** The first message: what is sent to a process of node:cluster before it listens is lost. */
  | { readonly kind: 'listening' }
  /** Connected, and waiting for batches. */
  | { readonly kind: 'ready' }
  | ({ readonly kind: 'ack' } & Ack)
  /** The worker cannot go on; nothing un-acked of it was committed, or the ledger knows. */
  | { readonly kind: 'failed'; readonly error: WireError }
  /** The last message: the connection is closed. */
  | { readonly kind: 'drained'; readonly peakRssBytes: number };
