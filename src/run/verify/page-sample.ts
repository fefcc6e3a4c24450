/** Which pages a sample takes. */

import type { Batch } from '../../source/page.ts';

/** A random share of the pages, and one of them in any case: of a few, none might be drawn. */
export class PageSample {
  readonly #share: number;
  #left = 0;
  #hasTaken = false;
  #reserve: Batch | null = null;

  constructor(share: number) {
    this.#share = share;
  }

  takes(batch: Batch): boolean {
    if (this.#share === 1 || Math.random() < this.#share) {
      this.#hasTaken = true;
      this.#reserve = null;
      return true;
    }
    this.#left++;
    // Each of those that were not drawn has the same chance to be kept.
    if (!this.#hasTaken && Math.random() * this.#left < 1) this.#reserve = batch;
    return false;
  }

  /** The page to take at the end if none was drawn. */
  get inReserve(): Batch | null {
    return this.#reserve;
  }
}
