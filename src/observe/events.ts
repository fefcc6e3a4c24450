/** What a run tells while it goes: one union on `kind`, in the order in which the events come. */

import type { LeftIndex, PlannedIndex } from '../plan/indexes/index-plan.ts';
import type { ExitCode } from '../common/errors.ts';
import type { Measurement } from './measurement.ts';
import type { ExtraCount } from '../transcode/extra-counter.ts';
import type { Plan } from '../transcode/plan.ts';
import type { CutOverEvent, FollowingEvent } from './follow-events.ts';
import type { WorkerDeath } from './worker-death.ts';

/** Something to know that stops nothing, and has no event of its own. */
export interface NoticeEvent {
  readonly kind: 'notice';
  /** The collection that it is about; absent where it is about the whole. */
  readonly source?: string;
  readonly message: string;
}

/** Of several collections, one that is not copied, or not compared. */
export interface SkippedEvent {
  readonly kind: 'skipped';
  readonly source: string;
  readonly reason: string;
}

/** Workers are up; reading begins. */
export interface StartedEvent {
  readonly kind: 'started';
  readonly source: string;
  readonly target: string;
  readonly plan: Plan;
  readonly workers: number;
  /** Each a process (`4711`), a thread of one (`4711/2`), or a part of the primary (`4711/inline-2`). */
  readonly workerIds: readonly string[];
  /** About how many documents there are. */
  readonly expectedDocuments: number;
  /** How many of them an earlier process of the same run has committed. */
  readonly committedDocuments: number;
}

/** A batch was committed. All numbers are totals so far; only what is committed counts. */
export interface ProgressEvent {
  readonly kind: 'progress';
  readonly source: string;
  readonly documents: number;
  readonly bytes: number;
  /** About how many documents there are. */
  readonly expectedDocuments: number;
  /** Of these documents, how many were committed before this process began; the rest took `elapsedMs`. */
  readonly committedBefore: number;
  readonly deadLettered: number;
  /** Read and not yet settled. */
  readonly inFlightBatches: number;
  readonly inFlightBytes: number;
  /** Of `workers`, those that are there now. */
  readonly liveWorkers: number;
  /** Since reading began. */
  readonly elapsedMs: number;
  readonly workers: number;
}

/** A worker ended before it was told to. */
export interface WorkerDiedEvent extends WorkerDeath {
  readonly kind: 'worker-died';
}

/** A server was away, or refused for now, and the work is done again. */
export interface RetriedEvent {
  readonly kind: 'retried';
  readonly server: 'mongodb' | 'postgres';
  /** How often since the last such event. */
  readonly times: number;
  /** Null where a worker has done it again, which tells no more than how often. */
  readonly reason: string | null;
}

/** A collection is given up. */
export interface FailedEvent extends Failure {
  readonly kind: 'failed';
  readonly work: 'copy' | 'compare';
  /** The others are copied, or compared, all the same; else the command ends with this error. */
  readonly isAlone: boolean;
}

/** The last line of `--json` where the command fails, of several collections one for each that did. */
export interface ErrorEvent {
  readonly kind: 'error';
  /** Of several collections, the one that failed. */
  readonly source?: string;
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
}

/** The rows are in; the primary key is being built. */
export interface FinishingEvent {
  readonly kind: 'finishing';
  readonly source: string;
}

type CarriedIndex = Pick<PlannedIndex, 'index' | 'name' | 'notices'>;

/** What became of an index; `index` is MongoDB's name of it, `name` that in Postgres. */
export type IndexAccount =
  | ({ readonly outcome: 'built'; readonly durationMs: number } & CarriedIndex)
  /** An earlier process of the run has built it, or an earlier run. */
  | ({ readonly outcome: 'present' } & CarriedIndex)
  | ({ readonly outcome: 'left' } & LeftIndex);

/** What became of one of the collection's indexes. */
export type IndexEvent = IndexAccount & { readonly kind: 'index'; readonly source: string };

export interface SummaryEvent extends Summary {
  readonly kind: 'summary';
}

/** A comparison of a collection with its table begins. */
export interface VerifyingEvent {
  readonly kind: 'verifying';
  readonly source: string;
  readonly table: string;
  /** Which run copied it, for people. */
  readonly run: string;
  readonly expectedDocuments: number;
  readonly workers: number;
}

export interface VerifiedEvent extends VerificationSummary {
  readonly kind: 'verified';
}

export type RunEvent =
  | NoticeEvent
  | SkippedEvent
  | StartedEvent
  | ProgressEvent
  | WorkerDiedEvent
  | RetriedEvent
  | FailedEvent
  | FinishingEvent
  | IndexEvent
  | SummaryEvent
  | VerifyingEvent
  | VerifiedEvent
  | FollowingEvent
  | CutOverEvent;

export interface EventListener {
  /** Called for each event, in their order, while the work goes on. What it throws ends the process. */
  onEvent?(event: RunEvent): void;
}

/** A collection that could not be copied, or compared, and why: what the error tells. */
export interface Failure {
  readonly source: string;
  /** Stays the same when the message is worded otherwise. */
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
}

/** A collection that an earlier start has copied, to whose end nothing was left to do. */
export interface CopiedBefore {
  readonly source: string;
  readonly runId: string;
  readonly copied: number;
  readonly deadLettered: number;
}

/** What became of each collection. */
export interface Outcome {
  readonly summaries: readonly Summary[];
  readonly copiedBefore: readonly CopiedBefore[];
  /** Of several collections, those that failed; the failure of a single one is thrown. */
  readonly failures: readonly Failure[];
  /** From the beginning to the end of all: less than the collections took together, where some went side by side. */
  readonly totalMs: number;
}

/** What a dry run tells; nothing is written for it. */
export type DryRunEvent =
  | {
      readonly kind: 'dry-run-server';
      readonly target: string;
      readonly version: string;
      readonly connectionsLeft: number;
    }
  | {
      readonly kind: 'dry-run-collection';
      readonly source: string;
      /** What a start would do, for people. */
      readonly decision: string;
      /** What a new run would create. */
      readonly statements: readonly string[];
      readonly notices: readonly string[];
      readonly documents: number;
      /** Of the rows and their key, by a sample; null where nothing would be copied. */
      readonly estimatedBytes: number | null;
    }
  /** One of several collections that a start would refuse or leave out. */
  | {
      readonly kind: 'dry-run-failure';
      readonly source: string;
      /** Null where it is left out without an error. */
      readonly code: string | null;
      readonly message: string;
      readonly fix: string;
    };

/** A document or a row that is not as it should be. */
export interface NamedDifference {
  /** `extra`: a row of which there is no document; `doubled`: more than one row of the same key. */
  readonly kind: 'missing' | 'different' | 'extra' | 'doubled';
  /** The document's `_id` in canonical Extended JSON; of a row, its key as Postgres writes it. */
  readonly id: string;
  /** Of an extra row in a child table: that table, with the row's place. */
  readonly place?: string;
  readonly columns: readonly ColumnDifference[];
}

/** One column of a row that is not as it should be; values as text, cut to a length that people read. */
export interface ColumnDifference {
  readonly column: string;
  readonly expected: string | null;
  readonly actual: string | null;
}

/** The account of a comparison: `compared` is the sum of `equal` to `changed`. */
export interface VerificationSummary {
  readonly source: string;
  /** Quoted, with its schema. */
  readonly table: string;
  readonly runId: string;
  /** Documents read. */
  readonly read: number;
  /** Documents compared: all of them, or those of a sample. */
  readonly compared: number;
  readonly equal: number;
  /** Documents that are dead letters, as the run has said. */
  readonly deadLettered: number;
  readonly missing: number;
  readonly different: number;
  /** Documents that changed while they were compared, and so prove nothing. */
  readonly changed: number;
  /** Rows of which there is no document, or which are there twice. */
  readonly extra: number;
  readonly rows: number;
  /** Rows that other runs, or somebody before them, put into the same table. */
  readonly rowsOfOthers: number;
  /** Rows of child tables whose document is not there. */
  readonly extraChildRows: number;
  /** Not all was to be compared. */
  readonly isSample: boolean;
  /**
   * In a sample: there are not as many rows as there should be. Else: there are fewer than were found and those of others
   * together, so that some are gone that this comparison is not about, or since.
   */
  readonly isCountOff: boolean;
  /** The first of the differences. */
  readonly differences: readonly NamedDifference[];
  readonly bytes: number;
  readonly totalMs: number;
}

/** Dead letters of one reason. */
export interface LetterCount {
  readonly reason: string;
  readonly code: string | null;
  readonly count: number;
  /** The detail of one of them. */
  readonly example: string;
}

/** The account of a finished run. */
export interface Summary {
  readonly runId: string;
  readonly source: string;
  /** `host:port/database`. */
  readonly target: string;
  readonly schema: string;
  readonly table: string;
  /** Documents that the primary read, and those that earlier processes of the same run had committed. */
  readonly read: number;
  /** How many of them earlier processes had committed. */
  readonly committedBefore: number;
  /** From the ledger. */
  readonly copied: number;
  /** From the ledger. */
  readonly deadLettered: number;
  readonly deadLetterReasons: readonly LetterCount[];
  /** Rows in the table before the run (when appending) and after it, counted by Postgres. */
  readonly rowsBefore: number;
  readonly rowsAfter: number;
  /** Rows in child tables: before the run, by the run as the ledger tells, and as Postgres counts them in the end. */
  readonly childRowsBefore: number;
  readonly childRows: number;
  readonly children: readonly { readonly table: string; readonly rows: number }[];
  readonly extra: readonly ExtraCount[];
  /** Batches that were delivered again after they had been committed, and were not loaded a second time. */
  readonly duplicates: number;
  /** Acks that came from a worker that did not hold the batch, and were not applied. */
  readonly unmatchedAcks: number;
  /** What became of each of the collection's indexes, other than that of `_id`. */
  readonly indexes: readonly IndexAccount[];
  readonly bytes: number;
  readonly workers: number;
  readonly planMs: number;
  readonly loadMs: number;
  readonly indexMs: number;
  readonly totalMs: number;
  readonly primaryPeakRssBytes: number;
  /** Of each worker, those that are gone among them; what it is the memory of, see `Ack`. */
  readonly workerPeakMemoryBytes: readonly number[];
  /** Of what this process has loaded. */
  readonly measurement: Measurement;
}
