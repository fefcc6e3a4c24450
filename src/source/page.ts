/** What is read, and where: pages of documents, intervals of positions, the ranges that are read in order, their batches. */

/**
 * Where reading goes on: after which document. It is a BSON document, `{_id: …}` of that document for a collection, which
 * is read in the order of `_id`, and `{_id: …, offset: …}` for a dump, which is read as it lies in its file (see
 * `transcode/position.ts`). Nobody but its source looks into a position: for all others it is equal to another or not.
 */
export type Position = Uint8Array;

/** One page of documents: raw BSON, never decoded by the primary. */
export interface Page {
  /** The bytes of a BSON array of documents, as MongoDB's reply carried them. */
  readonly bytes: Uint8Array;
  readonly documentCount: number;
  /** The position of the last document: reading goes on after it. */
  readonly last: Position;
}

/** (after, until]; null is the beginning, or the end. */
export interface Interval {
  readonly after: Position | null;
  readonly until: Position | null;
}

/** What one reader reads in order. */
export interface Range extends Interval {
  readonly rangeNo: number;
  /** Counts those who have owned it: what an earlier one has read of it is loaded no more. */
  readonly epoch: number;
}

/** A page on its way to a worker: the documents of (after, last] of its range. */
export interface Batch extends Page, Pick<Range, 'rangeNo' | 'epoch' | 'after'> {
  /**
   * The position of its first document among all that were read of its range, from 1; with `rangeNo` the key of the
   * batch's row in the ledger. It leaves a number for each document, so that a batch can be split.
   */
  readonly number: number;
  /** Of documents that changed and are read again; absent for those of a copy. */
  readonly drain?: Drain;
  /** Not to be looked into but to be made a dead letter: why. Its one document ended the workers that tried. */
  readonly deadly?: string;
}

/** What comes with documents that changed: which were asked for, some of which are not there any more. */
export interface Drain {
  readonly slot: number;
  /** Counts the drains of the slot, from 0: one that is late, or comes twice, is refused by it. */
  readonly drainNo: number;
  /** A BSON array of `{_id: …}`, each once. */
  readonly ids: Uint8Array;
  /** For each of them its rows in the journal. */
  readonly seqs: readonly (readonly number[])[];
  /** It has ended the workers that tried: nothing is to be done for it, and its documents come again one by one. */
  readonly isGivenUp?: boolean;
}

/** What tells a batch from all others of its run. */
export type BatchPlace = Pick<Batch, 'rangeNo' | 'number'>;

/** For maps and sets of batches, and for messages. */
export function batchKey({ rangeNo, number }: BatchPlace): string {
  return `${rangeNo}/${number}`;
}
