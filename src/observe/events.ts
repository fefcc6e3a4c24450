/** The events of a run: a union on `kind`, in the order in which they usually come. */

import type { ExitCode } from '../common/errors.ts';
import type { Plan } from '../transcode/plan.ts';
import type { CutOverEvent, FollowingEvent } from './follow-events.ts';
import type { Failure } from './outcome.ts';
import type { IndexAccount, Summary } from './summary.ts';
import type { VerificationSummary } from './verification-summary.ts';
import type { WorkerDeath } from './worker-death.ts';

/** Information that stops nothing, and has no event of its own. */
export interface NoticeEvent {
  readonly kind: 'notice';
  /** The collection that it is about; absent if it is about the whole command. */
  readonly source?: string;
  readonly message: string;
}

/** One of several collections is not copied, or not compared. */
export interface SkippedEvent {
  readonly kind: 'skipped';
  readonly source: string;
  readonly reason: string;
}

/** The workers are ready, and reading begins. */
export interface StartedEvent {
  readonly kind: 'started';
  readonly source: string;
  readonly target: string;
  readonly plan: Plan;
  readonly workers: number;
  /** A process (`4711`), a thread (`4711/2`), or an inline worker of the primary (`4711/inline-2`). */
  readonly workerIds: readonly string[];
  /** The estimated number of documents. */
  readonly expectedDocuments: number;
  /** Documents that earlier processes of the same run have committed. */
  readonly committedDocuments: number;
}

/** A batch was committed. All numbers are totals of what is committed so far. */
export interface ProgressEvent {
  readonly kind: 'progress';
  readonly source: string;
  readonly documents: number;
  readonly bytes: number;
  /** The estimated number of documents. */
  readonly expectedDocuments: number;
  /** How many of `documents` were committed before this process began; the rest took `elapsedMs`. */
  readonly committedBefore: number;
  readonly deadLettered: number;
  /** Documents that the transform has dropped. */
  readonly dropped: number;
  /** Read and not yet committed. */
  readonly inFlightBatches: number;
  readonly inFlightBytes: number;
  /** How many of `workers` are running now. */
  readonly liveWorkers: number;
  /** Since reading began. */
  readonly elapsedMs: number;
  readonly workers: number;
}

/** A worker ended unexpectedly. */
export interface WorkerDiedEvent extends WorkerDeath {
  readonly kind: 'worker-died';
}

/** A server had a transient error, and the work is retried. */
export interface RetriedEvent {
  readonly kind: 'retried';
  readonly server: 'mongodb' | 'postgres';
  /** The retries since the last such event. */
  readonly times: number;
  /** Null for retries of a worker, which reports only their number. */
  readonly reason: string | null;
}

/** This process is to take part in a migration, and no host has begun one. */
export interface HostWaitingEvent {
  readonly kind: 'host-waiting';
}

/** This process takes part in a migration that several hosts copy. */
export interface HostJoinedEvent {
  readonly kind: 'host-joined';
  readonly hostId: string;
  /** Its machine and process. */
  readonly name: string;
}

/** This host has become the leader, in place of one that is gone. */
export interface LeadTakenEvent {
  readonly kind: 'lead-taken';
  readonly hostId: string;
  readonly name: string;
  /** The name of the leader before. */
  readonly from: string;
}

/** Another host was declared dead, and its ranges and slots released. */
export interface HostLeftEvent {
  readonly kind: 'host-left';
  readonly hostId: string;
  readonly name: string;
  readonly isLead: boolean;
  /** How many ranges were released, and wait for another host. */
  readonly waiting: number;
  /** The same for the slots of collections that are followed. */
  readonly slots: number;
}

/** How many slots this host has, of the changes that another host reads. */
export interface HostMergingEvent {
  readonly kind: 'host-merging';
  readonly slots: number;
}

/** This host has copied its part of a collection, of which another host leads the copy. */
export interface HostCopiedEvent {
  readonly kind: 'host-copied';
  readonly source: string;
  readonly documents: number;
  readonly ranges: number;
}

/** This host has compared its part of a collection, of which another host leads the verification. */
export interface HostComparedEvent {
  readonly kind: 'host-compared';
  readonly source: string;
  readonly documents: number;
  readonly ranges: number;
}

/** A collection has failed. */
export interface FailedEvent extends Failure {
  readonly kind: 'failed';
  readonly work: 'copy' | 'compare';
  /** True: the other collections are still copied, or compared. False: the command ends with this error. */
  readonly isAlone: boolean;
}

/** The last line of `--json` if the command fails; if several collections fail, one line for each. */
export interface ErrorEvent {
  readonly kind: 'error';
  /** The collection that failed, if there are several. */
  readonly source?: string;
  readonly code: string;
  readonly message: string;
  readonly fix: string;
  readonly exitCode: ExitCode;
}

/** All rows are loaded; the primary key is being built. */
export interface FinishingEvent {
  readonly kind: 'finishing';
  readonly source: string;
}

/** The outcome of one of the collection's indexes. */
export type IndexEvent = IndexAccount & { readonly kind: 'index'; readonly source: string };

export interface SummaryEvent extends Summary {
  readonly kind: 'summary';
}

/** The comparison of a collection with its table begins. */
export interface VerifyingEvent {
  readonly kind: 'verifying';
  readonly source: string;
  readonly table: string;
  /** The run that copied it, as text for people. */
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
  | HostWaitingEvent
  | HostMergingEvent
  | HostJoinedEvent
  | LeadTakenEvent
  | HostLeftEvent
  | HostCopiedEvent
  | HostComparedEvent
  | FailedEvent
  | FinishingEvent
  | IndexEvent
  | SummaryEvent
  | VerifyingEvent
  | VerifiedEvent
  | FollowingEvent
  | CutOverEvent;

export interface EventListener {
  /** Called for each event, in order, during the work. If it throws, the process ends. */
  onEvent?(event: RunEvent): void;
}
