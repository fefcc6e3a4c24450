/** What following tells while it goes. */

/** How a stream stands: told about once a second. Times are in milliseconds, changes are documents written. */
export interface FollowingEvent {
  readonly kind: 'following';
  /** The database, and what of it is followed. */
  readonly source: string;
  readonly target: string;
  /** How far the reading of changes is behind the server; 0 when all is read. */
  readonly readLagMs: number;
  /** How far the rows are: as old as the oldest change that waits, else as `readLagMs`. */
  readonly lagMs: number;
  /** How long ago the oldest change that waits was made; 0 when none waits. */
  readonly oldestWaitingMs: number;
  /** Changes in the journal, and of these the ones whose rows PostgreSQL refuses for now. */
  readonly waiting: number;
  readonly refused: number;
  /** Read and merged, since this process follows. */
  readonly changesRead: number;
  readonly documentsMerged: number;
  /** Over the last seconds. */
  readonly changesPerSecond: number;
  /** Of each kind, since the stream was opened. */
  readonly events: Readonly<Record<string, number>>;
  /** How long the server keeps its history; null where it does not tell. */
  readonly oplogWindowMs: number | null;
  /** Dead letters of all collections that are followed. */
  readonly deadLettered: number;
  readonly collections: readonly FollowedState[];
  /** Why one cannot cut over yet, for people; empty when one can. */
  readonly obstacles: readonly string[];
  readonly workers: number;
  readonly liveWorkers: number;
}

export interface FollowedState {
  readonly source: string;
  readonly table: string;
  readonly waiting: number;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  /** Why it is followed no more, for people; null while it is. */
  readonly endedBy: string | null;
}

/** All is cut over: the rows are the documents, and nothing is followed any more. */
export interface CutOverEvent {
  readonly kind: 'cut-over';
  readonly source: string;
}
