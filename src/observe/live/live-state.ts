/** The data of the live page, of bounded size for any number of collections and workers. */

export interface LiveState {
  /** Time since the command began. */
  readonly elapsedMs: number;
  /** Why the command ended early; null while it runs, empty if it ended normally. */
  readonly end: string | null;
  readonly collections: readonly LiveCollection[];
  /** The number of collections that are not shown. */
  readonly moreCollections: number;
  readonly workers: readonly LiveWorker[];
  readonly moreWorkers: number;
  readonly inFlightBatches: number;
  readonly inFlightBytes: number;
  readonly deadLettered: number;
  /** Of all collections. */
  readonly dropped: number;
  /** Null while nothing is followed. */
  readonly following: LiveFollowing | null;
  /** The latest notices. */
  readonly notices: readonly string[];
  readonly history: LiveHistory;
}

export type CollectionState =
  | 'loading'
  | 'building keys and indexes'
  | 'finished'
  | 'verifying'
  | 'equal'
  | 'different'
  | 'failed'
  | 'left out'
  | 'following'
  | 'followed no more'
  | 'cut over';

export interface LiveCollection {
  readonly source: string;
  readonly table: string | null;
  readonly state: CollectionState;
  /** Documents committed, or compared. */
  readonly documents: number;
  readonly expectedDocuments: number;
  /** The average since reading began. */
  readonly perSecond: number;
  readonly deadLettered: number;
  /** Documents that the transform dropped, in the copy. */
  readonly dropped: number;
  /** Changes in the journal, and rows merged; null if it is not followed. */
  readonly changes: {
    readonly waiting: number;
    readonly inserted: number;
    readonly updated: number;
    readonly deleted: number;
  } | null;
  /** Why it failed, was skipped, or is no longer followed. */
  readonly reason: string | null;
}

export interface LiveWorker {
  readonly id: string;
  readonly isAlive: boolean;
  readonly batches: number;
  readonly documents: number;
  /** The share of the last seconds in which it worked on a batch: 0 to 1. */
  readonly busyShare: number;
}

export interface LiveFollowing {
  readonly source: string;
  readonly lagMs: number;
  readonly waiting: number;
  readonly refused: number;
  readonly changesPerSecond: number;
  readonly documentsMerged: number;
  readonly deadLettered: number;
  readonly oplogWindowMs: number | null;
  /** Documents to compare again before the cutover; null until all were compared once. */
  readonly unverified: number | null;
  readonly liveWorkers: number;
  readonly workers: number;
  /** Empty if cutover is possible. */
  readonly obstacles: readonly string[];
  readonly isCutOver: boolean;
}

/** One number per interval; null if there is none. */
export interface LiveHistory {
  readonly intervalMs: number;
  /** Without the current interval, which is not over. */
  readonly documentsPerSecond: readonly (number | null)[];
  readonly changesPerSecond: readonly (number | null)[];
  readonly lagSeconds: readonly (number | null)[];
  readonly journalRows: readonly (number | null)[];
}
