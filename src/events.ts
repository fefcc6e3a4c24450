/** What a run tells while it goes: one union on `kind`, in the order in which the events come. */

import type { ExitCode } from './errors.ts';
import type { Measurement } from './measure/measurement.ts';
import type { LetterCount } from './postgres/dead-letters.ts';
import type { ExtraCount } from './transcode/extra-counter.ts';
import type { Plan } from './plan/plan.ts';

/** Something to know that stops nothing. */
export interface NoticeEvent {
  readonly kind: 'notice';
  readonly message: string;
}

/** Workers are up; reading begins. */
export interface StartedEvent {
  readonly kind: 'started';
  readonly source: string;
  readonly target: string;
  readonly plan: Plan;
  readonly workers: number;
  readonly workerPids: readonly number[];
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
  /** Of these documents, how many were committed before this process began; the rest took `elapsedMs`. */
  readonly committedBefore: number;
  /** Since reading began. */
  readonly elapsedMs: number;
  readonly workers: number;
}

/** The rows are in; the primary key is being built. */
export interface FinishingEvent {
  readonly kind: 'finishing';
  readonly source: string;
}

export interface SummaryEvent extends Summary {
  readonly kind: 'summary';
}

export type RunEvent = NoticeEvent | StartedEvent | ProgressEvent | FinishingEvent | SummaryEvent;

/** One of several collections that could not be copied. */
export interface Failure {
  readonly source: string;
  readonly message: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
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
  readonly extra: readonly ExtraCount[];
  readonly bytes: number;
  readonly workers: number;
  readonly planMs: number;
  readonly loadMs: number;
  readonly indexMs: number;
  readonly totalMs: number;
  readonly primaryPeakRssBytes: number;
  readonly workerPeakRssBytes: readonly number[];
  /** Of what this process has loaded. */
  readonly measurement: Measurement;
}
