/** Chooses the pages of a sample. */

import type { Batch } from '../../source/page.ts';

/** A random share of the pages, but at least one. */
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
    // Reservoir sampling: each page that was not drawn is kept with the same probability.
    if (!this.#hasTaken && Math.random() * this.#left < 1) this.#reserve = batch;
    return false;
  }

  /** The page to take at the end if none was drawn. */
  get inReserve(): Batch | null {
    return this.#reserve;
  }
}
