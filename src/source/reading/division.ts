/** Decides where the reading of a collection is divided: before it begins, and when a reader has nothing left to read. */

import { chooseCuts, intervalsBetween } from '../mongo/id-cuts.ts';
import type { Interval } from '../page.ts';
import type { IdSample, Source } from '../source.ts';

/** More than one evens out what a sample leaves uneven; each costs a last page that is not full, which halving saves. */
const rangesPerReader = 2;

/** So many that ranges are much alike, and so few that finding them again costs next to nothing. */
const idsPerReader = 32;

/** A range of fewer pages is mostly its last page and the wait for its first. */
const minPagesPerRange = 4;

/** Enough that both readers have a page to read while the cut is written down. */
const minPagesToHalve = 4;

export class Division {
  readonly #divide: Source['divide'];
  /** How many readers there may be. */
  readonly readers: number;
  #sampled: Promise<IdSample | null> | undefined;

  constructor({ divide }: Pick<Source, 'divide'>, readers: number) {
    this.#divide = divide;
    this.readers = readers;
  }

  /** Taken when it is first asked for; null where nothing can or needs to be divided. */
  sample(): Promise<IdSample | null> {
    if (this.readers === 1 || this.#divide === undefined) return Promise.resolve(null);
    this.#sampled ??= this.#divide.sampleIds(this.readers * idsPerReader);
    return this.#sampled;
  }

  /** The intervals in which to read the collection, in order; a single one where it is small or cannot be divided. */
  async intervals(itemsPerPage: number): Promise<Interval[]> {
    const sample = await this.sample();
    if (sample === null || this.#divide === undefined) return intervalsBetween([]);
    const documentsPerPage = this.#divide.documentsPerPage(itemsPerPage);
    const { ids, documentsPerId } = sample;
    const parts = Math.floor((ids.length * documentsPerId) / (documentsPerPage * minPagesPerRange));
    return intervalsBetween(chooseCuts(ids, Math.min(parts, this.readers * rangesPerReader)));
  }

  /** @param ids that are left to be read of a range. @returns the one at which to halve it; null if that does not pay */
  async cutIn(ids: readonly Uint8Array[], documentsPerPage: number): Promise<Uint8Array | null> {
    const sample = await this.sample();
    if (sample === null) return null;
    const pages = (ids.length * sample.documentsPerId) / documentsPerPage;
    return pages < minPagesToHalve ? null : (chooseCuts(ids, 2)[0] ?? null);
  }
}
