/** A range that is being read: the position of its reader, and a lock for changes. */

import type { Batch, Interval, Page, Position, Range } from '../page.ts';
import type { Source } from '../source.ts';

export class RangeReading implements Range {
  readonly rangeNo: number;
  readonly epoch: number;
  readonly after: Position | null;
  /** Moves down when the range is split. */
  until: Position | null;
  /** The `_id` of the last document read; null before the first. */
  last: Position | null = null;
  isAtEnd = false;
  #nextNumber = 1;
  /** The sampled ids that may be in the unread part; undefined for all ids of the sample. */
  ids: readonly Uint8Array[] | undefined;
  #pages: AsyncGenerator<Page, void, undefined> | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ rangeNo, epoch, after, until }: Range, ids?: readonly Uint8Array[]) {
    this.rangeNo = rangeNo;
    this.epoch = epoch;
    this.after = after;
    this.until = until;
    this.ids = ids;
  }

  /** The unread part. */
  get rest(): Interval {
    return { after: this.last ?? this.after, until: this.until };
  }

  /** @returns null at the end of the range */
  async readPage(source: Pick<Source, 'pages'>, itemsPerPage: number): Promise<Batch | null> {
    this.#pages ??= source.pages(this.rest, itemsPerPage);
    const { value: page } = await this.#pages.next();
    if (page === undefined) {
      this.isAtEnd = true;
      return null;
    }
    const place = {
      rangeNo: this.rangeNo,
      epoch: this.epoch,
      after: this.rest.after,
      number: this.#nextNumber,
    };
    this.#nextNumber += page.documentCount;
    this.last = page.last;
    // Saves a request for a page that would be empty.
    this.isAtEnd = this.until !== null && Buffer.compare(page.last, this.until) === 0;
    return { ...page, ...place };
  }

  /** Moves the end of the range to `cut`. */
  async cut(cut: Uint8Array): Promise<void> {
    await this.close();
    this.until = cut;
  }

  /** Call it when no more pages are needed. */
  async close(): Promise<void> {
    await this.#pages?.return();
    this.#pages = undefined;
  }

  /** Runs calls one after the other, so that the end of the range does not move while a page is being read. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    // The caller of `work` handles its failure.
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
