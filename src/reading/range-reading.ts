/** A range of `_id`, and its state while it is read: how far its reader is, and who may touch it now. */

import type { Interval, Page, Source } from '../source/source.ts';

/** What one reader reads in order. */
export interface Range extends Interval {
  readonly rangeNo: number;
  /** Counts those who have owned it: what an earlier one has read of it is loaded no more. */
  readonly epoch: number;
}

/** Where a page of a range comes: what makes a batch of it. */
export interface PagePlace extends Pick<Range, 'rangeNo' | 'epoch' | 'afterId'> {
  /** The position of its first document among all that were read of the range, from 1. */
  readonly number: number;
}

/** A page with its place in its range. */
export type PlacedPage = Page & PagePlace;

export class RangeReading implements Range {
  readonly rangeNo: number;
  readonly epoch: number;
  readonly afterId: Uint8Array | null;
  /** Moves down when the range is split. */
  untilId: Uint8Array | null;
  /** The `_id` of the last document read; null before the first. */
  lastId: Uint8Array | null = null;
  isAtEnd = false;
  #nextNumber = 1;
  /** Sampled ids among which are all that are left to be read; undefined as long as they may be anywhere. */
  ids: readonly Uint8Array[] | undefined;
  #pages: AsyncGenerator<Page, void, undefined> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ rangeNo, epoch, afterId, untilId }: Range, ids?: readonly Uint8Array[]) {
    this.rangeNo = rangeNo;
    this.epoch = epoch;
    this.afterId = afterId;
    this.untilId = untilId;
    this.ids = ids;
  }

  /** What is left to be read. */
  get rest(): Interval {
    return { afterId: this.lastId ?? this.afterId, untilId: this.untilId };
  }

  /** @returns null at the end of the range */
  async readPage(source: Pick<Source, 'pages'>, itemsPerPage: number): Promise<PlacedPage | null> {
    this.#pages ??= source.pages(this.rest, itemsPerPage);
    const { value: page } = await this.#pages.next();
    if (page === undefined) {
      this.isAtEnd = true;
      return null;
    }
    const place = {
      rangeNo: this.rangeNo,
      epoch: this.epoch,
      afterId: this.rest.afterId,
      number: this.#nextNumber,
    };
    this.#nextNumber += page.count;
    this.lastId = page.lastId;
    // Saves asking for a page that must be empty.
    this.isAtEnd = this.untilId !== null && Buffer.compare(page.lastId, this.untilId) === 0;
    return { ...page, ...place };
  }

  /** Ends the range before its end; what comes after `cutId` is not read here any more. */
  async cut(cutId: Uint8Array): Promise<void> {
    await this.close();
    this.untilId = cutId;
  }

  /** To be called when no more pages are wanted. */
  async close(): Promise<void> {
    await this.#pages?.return();
    this.#pages = undefined;
  }

  /** One after the other, in the order of the calls: while a page is on its way, nobody moves the end of the range. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    // Whoever called for it hears of its failure.
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
