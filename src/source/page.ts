/** The units of reading: pages of documents, intervals between positions, ranges that are read in order, and batches. */

/**
 * The document after which reading resumes, as a BSON document: `{_id: …}` for a collection, which is read in the order of
 * `_id`; `{_id: …, offset: …}` for a dump, which is read in the order of its file (see `bson/position.ts`). Only its source
 * interprets a position; all others only compare positions for equality.
 */
export type Position = Uint8Array;

/** One page of documents: raw BSON, never decoded by the primary. */
export interface Page {
  /** A BSON array of documents, as it was in MongoDB's reply. */
  readonly bytes: Uint8Array;
  readonly documentCount: number;
  /** The position of the last document: reading continues after it. */
  readonly last: Position;
}

/** The interval (after, until]; null is the beginning, or the end. */
export interface Interval {
  readonly after: Position | null;
  readonly until: Position | null;
}

/** An interval that one reader reads in order. */
export interface Range extends Interval {
  readonly rangeNo: number;
  /** A fencing token: the number of owners so far. Batches of an earlier owner are no longer loaded. */
  readonly epoch: number;
}

/** A page that is sent to a worker: the documents of (after, last] of its range. */
export interface Batch extends Page, Pick<Range, 'rangeNo' | 'epoch' | 'after'> {
  /**
   * The number of its first document within its range, from 1. With `rangeNo` it is the key of the batch in the ledger.
   * Each document has a number of its own, so that a batch can be split.
   */
  readonly number: number;
  /** Present for changed documents that were read again; absent for those of a copy. */
  readonly drain?: Drain;
  /**
   * The reason, for a poison batch: one document, which has crashed its workers. It becomes a dead letter without being
   * decoded.
   */
  readonly poison?: string;
}

/** A set of changed documents that is merged at once. Documents of `ids` that are missing in the page were deleted. */
export interface Drain {
  readonly slot: number;
  /** The number of the drain in its slot, from 0. The ledger rejects one that is late or repeated. */
  readonly drainNo: number;
  /** A BSON array of distinct `{_id: …}`. */
  readonly ids: Uint8Array;
  /** For each id, its rows in the journal. */
  readonly seqs: readonly (readonly number[])[];
  /** It has crashed its workers: it is not merged, and its documents follow one by one. */
  readonly isGivenUp?: boolean;
}

/** Identifies a batch within its run. */
export type BatchPlace = Pick<Batch, 'rangeNo' | 'number'>;

/** A key for maps and sets, and for messages. */
export function batchKey({ rangeNo, number }: BatchPlace): string {
  return `${rangeNo}/${number}`;
}
