/** What a worker needs to know of the target, and of the run that it works for. Plain data, since it crosses IPC. */

import type { Plan } from '../transcode/plan.ts';

/** How a worker reaches Postgres. Sent over IPC, so that no password shows in a process's environment. */
export interface WorkerTarget {
  readonly postgresUrl: string;
  /** How long to keep trying to reach Postgres once it is gone. */
  readonly retryLimitMs: number;
  /** How long Postgres may be silent in the middle of a batch before its connection counts as broken. */
  readonly answerTimeoutMs: number;
  /** How long a transform may take for one document. */
  readonly documentTimeoutMs?: number;
  /** See `SessionOptions`. */
  readonly hostId?: string;
}

/** A collection of a stream, for the process that follows it by now. */
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
  /** Of all that is done while changes are followed: whose changes they are. */
  readonly stream?: FollowedCollection;
  /** The run's id in the ledger. A string: the ledger's ids are bigint. */
  readonly runId: string;
  readonly plan: Plan;
}
