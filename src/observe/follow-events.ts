/** The events of following. */

/** The state of a stream, about once a second. Times are in milliseconds; a change is one write to one document. */
export interface FollowingEvent {
  readonly kind: 'following';
  /** The database, and its collections that are followed. */
  readonly source: string;
  readonly target: string;
  /** How far reading is behind the server; 0 when all changes are read. */
  readonly readLagMs: number;
  /** How far the rows are behind: `oldestWaitingMs` if a change waits, otherwise `readLagMs`. */
  readonly lagMs: number;
  /** The age of the oldest waiting change; 0 when none waits. */
  readonly oldestWaitingMs: number;
  /** Changes in the journal that are not merged yet. */
  readonly waiting: number;
  /** Waiting changes whose rows PostgreSQL rejects; they are tried again. */
  readonly refused: number;
  /** Totals since this process began to follow. */
  readonly changesRead: number;
  readonly documentsMerged: number;
  /** The average of the last seconds. */
  readonly changesPerSecond: number;
  /** Events of each kind since the stream was opened. */
  readonly events: Readonly<Record<string, number>>;
  /** How long the server keeps its history; null if it does not report it. */
  readonly oplogWindowMs: number | null;
  /** Dead letters of all followed collections. */
  readonly deadLettered: number;
  readonly collections: readonly FollowedState[];
  /** Collections that are not followed, or no longer, while the others are. */
  readonly stopped: readonly StoppedState[];
  /** Why cutover is not possible yet, as text for people; empty if it is. */
  readonly obstacles: readonly string[];
  readonly workers: number;
  readonly liveWorkers: number;
}

export interface StoppedState {
  readonly source: string;
  /** Text for people. */
  readonly reason: string;
}

export interface FollowedState {
  readonly source: string;
  readonly table: string;
  readonly waiting: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Why it is no longer followed, as text for people; null while it is followed. */
  readonly endedBy: string | null;
  /** Null if nothing was compared while following. */
  readonly proof: ProofState | null;
}

/** How much of a followed collection is verified: its rows were compared with its documents and are equal. */
export interface ProofState {
  /** The time (ISO 8601) at which all documents had been compared; null until then. */
  readonly verifiedAt: string | null;
  /** Documents compared until then. */
  readonly compared: number;
  /** Documents to compare again: they were merged after their comparison, or were not equal. */
  readonly unverified: number;
  /** How many of `unverified` differ although all their changes are merged. */
  readonly different: number;
}

/** The cutover is done: rows and documents are equal, and following has ended. */
export interface CutOverEvent {
  readonly kind: 'cut-over';
  readonly source: string;
  /** Stopped collections that were left out. */
  readonly leftOut: readonly string[];
}
