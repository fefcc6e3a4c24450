/** A range of `_id`, and its state while it is read: how far its reader is, and who may touch it now. */

import type { Interval } from '../source/source.ts';

/** What one reader reads in order. */
export interface Range extends Interval {
  readonly rangeNo: number;
}

export class RangeReading implements Range {
  readonly rangeNo: number;
  readonly afterId: Uint8Array | null;
  /** Moves down when the range is split. */
  untilId: Uint8Array | null;
  /** The `_id` of the last document read; null before the first. */
  lastId: Uint8Array | null = null;
  isAtEnd = false;
  /** Sampled ids among which are all that are left to be read; undefined as long as they may be anywhere. */
  ids: readonly Uint8Array[] | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ rangeNo, afterId, untilId }: Range, ids?: readonly Uint8Array[]) {
    this.rangeNo = rangeNo;
    this.afterId = afterId;
    this.untilId = untilId;
    this.ids = ids;
  }

  /** What is left to be read. */
  get rest(): Interval {
    return { afterId: this.lastId ?? this.afterId, untilId: this.untilId };
  }

  advance(lastId: Uint8Array): void {
    this.lastId = lastId;
    // Saves asking for a page that must be empty.
    this.isAtEnd = this.untilId !== null && Buffer.compare(lastId, this.untilId) === 0;
  }

  /** One after the other, in the order of the calls: while a page is on its way, nobody moves the end of the range. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    // Whoever called for it hears of its failure.
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
