/** What the live page shows: plain data, bounded however many collections and workers there are. */

export interface LiveState {
  /** Since the command began. */
  readonly elapsedMs: number;
  /** Why the command ended; null while it goes on, empty when it came to its end. */
  readonly end: string | null;
  readonly collections: readonly LiveCollection[];
  /** Collections that are not shown. */
  readonly moreCollections: number;
  readonly workers: readonly LiveWorker[];
  readonly moreWorkers: number;
  readonly inFlightBatches: number;
  readonly inFlightBytes: number;
  readonly deadLettered: number;
  /** Null as long as nothing is followed. */
  readonly following: LiveFollowing | null;
  /** The last ones. */
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
  /** Committed, or compared. */
  readonly documents: number;
  readonly expectedDocuments: number;
  /** On average since reading began. */
  readonly perSecond: number;
  readonly deadLettered: number;
  /** Changes in the journal, and rows merged; null while it is not followed. */
  readonly changes: {
    readonly waiting: number;
    readonly inserted: number;
    readonly updated: number;
    readonly deleted: number;
  } | null;
  /** Why it failed, was left out, or is followed no more. */
  readonly reason: string | null;
}

export interface LiveWorker {
  readonly id: string;
  readonly isAlive: boolean;
  readonly batches: number;
  readonly documents: number;
  /** How much of the last seconds it was at a batch: 0 to 1. */
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
  readonly liveWorkers: number;
  readonly workers: number;
  /** Empty when one can cut over. */
  readonly obstacles: readonly string[];
  readonly isCutOver: boolean;
}

/** One number an interval; null where there is none. */
export interface LiveHistory {
  readonly intervalMs: number;
  /** Of an interval that goes on nobody knows how fast it was. */
  readonly documentsPerSecond: readonly (number | null)[];
  readonly changesPerSecond: readonly (number | null)[];
  readonly lagSeconds: readonly (number | null)[];
  readonly journalRows: readonly (number | null)[];
}
