/** The result of `status`: jobs, runs and streams, as the ledger has them. */

import type { ProofState } from './follow-events.ts';
import type { ExtraCount } from '../transcode/extra-counter.ts';
import type { LetterCount } from './summary.ts';

/** A consistent snapshot; the latest come first. */
export interface Status {
  readonly jobs: readonly JobStatus[];
  readonly runs: readonly RunStatus[];
  readonly streams: readonly StreamStatus[];
  /** Those that take part now, and those that have left what these are at. */
  readonly hosts: readonly HostStatus[];
  /** What these verify and build together, in the order in which they do. */
  readonly sharedWork: readonly SharedWorkStatus[];
}

/**
 * `leads`, `takes part`: it is active, unless it is silent; `left`: it was stopped, and others continue; `dead`: it was silent for
 * too long;
 * `failed`: it led, and failed; `finished`: everything is copied, or compared.
 */
export type HostState = 'leads' | 'takes part' | 'finished' | 'left' | 'failed' | 'dead';

/** A collection that several hosts verify, or whose keys and indexes they build. What they copy is in the status of its run. */
export interface SharedWorkStatus {
  readonly kind: 'verification' | 'builds';
  readonly runId: string;
  readonly source: string;
  /** Ranges, or keys and indexes. */
  readonly total: number;
  readonly done: number;
  /** Ranges that a host has and has not compared yet; null for builds, which only their transactions know. */
  readonly taken: number | null;
  /** Compared so far; null for builds. */
  readonly documents: number | null;
}

/** One of several processes that copy or verify together. */
export interface HostStatus {
  readonly hostId: string;
  /** Its machine and process. */
  readonly name: string;
  readonly version: string;
  /** `copy`: it copies, and may verify afterwards. */
  readonly task: 'copy' | 'verify';
  readonly sourceDb: string;
  readonly schema: string;
  readonly selection: string;
  readonly state: HostState;
  readonly joinedAt: Date;
  readonly seenAt: Date;
  /** Since its last heartbeat, by the clock of the database. */
  readonly silentMs: number;
  /** How many its workers may have together; null before the leader has shared them out. */
  readonly connections: number | null;
  /** Ranges that it has, and that it has read to their end. */
  readonly rangesTaken: number;
  readonly rangesRead: number;
  /** Slots of followed collections that it drains. */
  readonly slots: number;
  /** Committed in these. */
  readonly documents: number;
  /** Over the last seconds. */
  readonly documentsPerSecond: number;
  /** Of verifications: ranges that it has, and that it has compared. */
  readonly rangesComparing: number;
  readonly rangesCompared: number;
  /** In the ranges that it has compared. */
  readonly documentsCompared: number;
  /** From the begin of the verification, or of its taking part, until it last recorded a range; null before the first. */
  readonly comparedPerSecond: number | null;
  /** Keys and indexes that it has built. */
  readonly builds: number;
}

/** `running`: a process works on it. `stopped`: it was interrupted, or not all could be copied; it can be resumed. */
export type JobState = 'running' | 'stopped' | 'finished';

/**
 * `waiting`: not begun. `skipped`: there was nothing to copy. `failed`: the job continued without it. Otherwise the state
 * of its run.
 */
export type CollectionState = 'waiting' | 'skipped' | 'failed' | RunState;

export interface JobCollection {
  readonly collection: string;
  readonly state: CollectionState;
  /** Null before it is begun. */
  readonly runId: string | null;
  /** Why it failed or was skipped, as text for people; otherwise null. */
  readonly detail: string | null;
}

export interface JobStatus {
  readonly jobId: string;
  readonly sourceDb: string;
  readonly schema: string;
  /** The names and patterns of the collections, as given. */
  readonly selection: string;
  readonly state: JobState;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  /** In the order in which they are copied. */
  readonly collections: readonly JobCollection[];
}

/**
 * `running`: a session holds the lock on its table. `stopped`: it was interrupted, and can be resumed. `loaded`: every
 * document is committed, but keys or indexes may be missing. `replaced`: a later run has replaced its rows.
 */
export type RunState = 'running' | 'stopped' | 'loaded' | 'finished' | 'replaced';

export interface RunStatus {
  readonly runId: string;
  /** The job that it is part of; null if there is none. */
  readonly jobId: string | null;
  readonly source: string;
  /** Quoted, with its schema. */
  readonly table: string;
  readonly state: RunState;
  /** False if it was dropped, or another table has its name. */
  readonly isTableThere: boolean;
  readonly startedAt: Date;
  readonly loadedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly documents: number;
  readonly copied: number;
  readonly deadLettered: number;
  /** Documents that the transform has dropped. */
  readonly dropped: number;
  /** Rows of the copied documents. */
  readonly rows: number;
  readonly bytes: number;
  /** The phases that have begun, in order. */
  readonly phases: readonly PhaseStatus[];
  /** The average over its active time; for a running run, over the last seconds. */
  readonly documentsPerSecond: number | null;
  /** Ranges of `_id` that are not read to their end. */
  readonly openRanges: number;
  readonly deadLetters: readonly LetterCount[];
  /** For a promoted field: only values that have stayed in the overflow column. */
  readonly extra: readonly ExtraCount[];
  /** In the order in which they were begun. */
  readonly promotions: readonly PromotionStatus[];
}

/** A field that was given a column of its own after the copy. */
export interface PromotionStatus {
  readonly field: string;
  readonly column: string;
  /** The type, as plans name it. */
  readonly type: string;
  /** How many values are in the column so far. */
  readonly promoted: number;
  /** False while the overflow column still has values that belong into the new column. */
  readonly isFinished: boolean;
}

/** In their order. */
export type PhaseName = 'copy' | 'index';

/** Each document read is counted once: as copied, dead-lettered, or dropped by the transform. */
export interface CopyAccount {
  readonly read: number;
  readonly copied: number;
  readonly deadLettered: number;
  /** Absent, like `rows`, in accounts of earlier versions, which had no transforms. */
  readonly dropped?: number;
  /** Rows of the copied documents. */
  readonly rows?: number;
  readonly bytes: number;
  readonly childRows: number;
}

/** Counts of the collection's indexes: built, already present, and not carried over. */
export interface IndexPhaseAccount {
  readonly built: number;
  readonly present: number;
  readonly left: number;
}

/** A phase as the ledger has it. */
export interface PhaseStatus {
  readonly phase: PhaseName;
  readonly beganAt: Date;
  readonly doneAt: Date | null;
  readonly account: CopyAccount | IndexPhaseAccount | null;
}

/**
 * `following`: a process works on it. `stopped`: none does; the same command resumes. `given up`: a later stream has replaced it.
 */
export type StreamState = 'following' | 'stopped' | 'cut over' | 'given up';

export interface StreamStatus {
  readonly streamId: string;
  readonly sourceDb: string;
  readonly selection: string;
  readonly schema: string;
  readonly state: StreamState;
  readonly openedAt: Date;
  /** When the position was last saved. */
  readonly readAt: Date;
  readonly cutOverAt: Date | null;
  /** How far the rows are behind the server, as of `readAt`. */
  readonly lagMs: number;
  readonly waiting: number;
  readonly refused: number;
  readonly deadLettered: number;
  readonly events: Readonly<Record<string, number>>;
  /** Merged documents, by what was done with their rows. */
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** How long the server keeps its history; null if it does not report it. */
  readonly oplogWindowMs: number | null;
  /** For the collections that were compared while following. */
  readonly proofs: readonly CollectionProof[];
  /** Why cutover is not possible, as text for people; empty if it is. */
  readonly obstacles: readonly string[];
}

export interface CollectionProof extends ProofState {
  readonly collection: string;
}
