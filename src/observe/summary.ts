/** The summary of a finished run. */

import type { LeftIndex, PlannedIndex } from '../plan/indexes/index-plan.ts';
import type { ExtraCount } from '../transcode/extra-counter.ts';
import type { Measurement } from './measurement.ts';

type CarriedIndex = Pick<PlannedIndex, 'index' | 'name' | 'notices'>;

/** The outcome of an index. `index` is its name in MongoDB, `name` that in Postgres. */
export type IndexAccount =
  | ({ readonly outcome: 'built'; readonly durationMs: number } & CarriedIndex)
  /** An earlier process of the run, or an earlier run, has built it. */
  | ({ readonly outcome: 'present' } & CarriedIndex)
  | ({ readonly outcome: 'left' } & LeftIndex);

/** The dead letters with the same reason. */
export interface LetterCount {
  readonly reason: string;
  readonly code: string | null;
  readonly count: number;
  /** The error text of one of them. */
  readonly example: string;
}

/** All counts are of documents unless the name says otherwise; `read` = `copied` + `deadLettered` + `dropped`. */
export interface Summary {
  readonly runId: string;
  readonly source: string;
  /** `host:port/database`. */
  readonly target: string;
  readonly schema: string;
  readonly table: string;
  /** Documents that the primary read, and those that earlier processes of the same run had committed. */
  readonly read: number;
  /** How many of `read` earlier processes had committed. */
  readonly committedBefore: number;
  /** From the ledger. */
  readonly copied: number;
  /** From the ledger. */
  readonly deadLettered: number;
  /** Documents that the transform has dropped. From the ledger. */
  readonly dropped: number;
  /** Rows of the copied documents: more than `copied` if a transform made several of one. From the ledger. */
  readonly rows: number;
  readonly deadLetterReasons: readonly LetterCount[];
  /** Rows in the table before the run (when appending) and after it, counted by Postgres. */
  readonly rowsBefore: number;
  readonly rowsAfter: number;
  /** Rows in child tables before the run. */
  readonly childRowsBefore: number;
  /** Rows in child tables that the run has added. From the ledger. */
  readonly childRows: number;
  /** Rows in each child table after the run, counted by Postgres. */
  readonly children: readonly { readonly table: string; readonly rows: number }[];
  readonly extra: readonly ExtraCount[];
  /** Batches that were redelivered after their commit; they were not loaded a second time. */
  readonly duplicates: number;
  /** Acks from workers that did not hold the batch; they were ignored. */
  readonly unmatchedAcks: number;
  /** The collection's indexes, except that on `_id`. */
  readonly indexes: readonly IndexAccount[];
  readonly bytes: number;
  /** At the end of the run; with CLUSTER_SIZE=auto, the number may have changed during the run. */
  readonly workers: number;
  /** Per worker. */
  readonly connections: number;
  /** With CLUSTER_SIZE=auto, why these numbers were chosen, as text for people; otherwise null. */
  readonly sizing: string | null;
  readonly planMs: number;
  readonly loadMs: number;
  readonly indexMs: number;
  readonly totalMs: number;
  readonly primaryPeakRssBytes: number;
  /** For each worker, including those that have ended. For the meaning, see `Ack`. */
  readonly workerPeakMemoryBytes: readonly number[];
  /** Of this process only. */
  readonly measurement: Measurement;
}
