/** A range of `_id`, and its state while it is read: how far its reader is, and who may touch it now. */

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
  /** Sampled ids among which are all that are left to be read; undefined as long as they may be anywhere. */
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

  /** What is left to be read. */
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
    // Saves asking for a page that must be empty.
    this.isAtEnd = this.until !== null && Buffer.compare(page.last, this.until) === 0;
    return { ...page, ...place };
  }

  /** Ends the range before its end; what comes after `cut` is not read here any more. */
  async cut(cut: Uint8Array): Promise<void> {
    await this.close();
    this.until = cut;
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
