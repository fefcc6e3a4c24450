/** What a worker needs to know about the target and its run. Plain data, since it is sent over IPC. */

import type { Plan } from '../transcode/plan.ts';

/** How a worker reaches Postgres. Sent over IPC, so that no password is in a process's environment. */
export interface WorkerTarget {
  readonly postgresUrl: string;
  /** A worker node of Citus through which batches are loaded. */
  readonly nodeUrl?: string;
  /** How long to retry once Postgres cannot be reached. */
  readonly retryLimitMs: number;
  /** How long Postgres may send no answer in the middle of a batch before the connection counts as lost. */
  readonly answerTimeoutMs: number;
  /** How long a transform may take for one document. */
  readonly documentTimeoutMs?: number;
  /** See `SessionOptions`. */
  readonly hostId?: string;
}

/** A collection of a stream, as followed by the present process. (The slots of it have epochs of their own.) */
export interface FollowedCollection {
  readonly streamId: string;
  readonly collectionNo: number;
  /** See `streams.epoch` of the ledger. */
  readonly epoch: number;
}

/** What a worker needs before its first batch. */
export interface WorkerSettings extends WorkerTarget {
  /** What is done with each batch. */
  readonly purpose: 'load' | 'compare' | 'collect-keys' | 'merge' | 'repair' | 'prove';
  /** Set while changes are followed: the collection of the changes. */
  readonly stream?: FollowedCollection;
  /** The run's id in the ledger. A string: the ledger's ids are bigint. */
  readonly runId: string;
  readonly plan: Plan;
}
