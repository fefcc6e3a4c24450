/** Decides where a collection is divided into ranges: before reading begins, and when a reader has nothing left to read. */

import { chooseCuts, intervalsBetween } from '../mongo/paging/id-cuts.ts';
import { wantedPageBytes } from '../mongo/paging/page-size.ts';
import type { Interval } from '../page.ts';
import type { IdSample, Source } from '../source.ts';

/** More than one, because ranges that come from a sample differ in size. Few, because the last page of each is not full. */
const rangesPerReader = 2;

/** Enough for ranges of similar size, few enough to be cheap to look up again. */
const idsPerReader = 32;

/** In a smaller range, the wait for its first page and the last page that is not full would dominate. */
const minPagesPerRange = 4;

/** Enough that both readers have a page to read while the cut is recorded. */
const minPagesToHalve = 4;

/** Among several hosts: no range is so long that all wait for the one that has it. */
const minSharedRanges = 48;

/** Ranges of a few sampled ids each are not much alike, and their number evens that out. */
const idsPerSharedRange = 8;

/** The `find` by them is to stay a command that a server takes. */
const maxSampledIds = 20_000;

/** More pages than any collection has documents: it asks how many fit into one. */
const unlimited = 1_000_000;

export class Division {
  readonly #divide: Source['divide'];
  /** The maximum of readers. */
  readonly readers: number;
  /** About so large a range is to be that several hosts share; null where one process has all. */
  readonly #rangeBytes: number | null;
  #sampled: Promise<IdSample | null> | undefined;

  constructor({ divide }: Pick<Source, 'divide'>, readers: number, rangeBytes: number | null = null) {
    this.#divide = divide;
    this.readers = readers;
    this.#rangeBytes = rangeBytes;
  }

  /** The sample is taken once, on the first call. Null if the source cannot, or need not, be divided. */
  sample(): Promise<IdSample | null> {
    if (this.#divide === undefined || (this.readers === 1 && this.#rangeBytes === null)) {
      return Promise.resolve(null);
    }
    this.#sampled ??= this.#divide.sampleIds(this.readers * idsPerReader);
    return this.#sampled;
  }

  /**
   * The intervals in which to read the collection, in order; a single one where it is small or cannot be divided.
   * @param documents about how many there are, where several hosts share them
   */
  async intervals(itemsPerPage: number, documents = 0): Promise<Interval[]> {
    if (this.#rangeBytes !== null) {
      return await this.#sharedIntervals(itemsPerPage, documents, this.#rangeBytes);
    }
    const sample = await this.sample();
    if (sample === null || this.#divide === undefined) return intervalsBetween([]);
    const documentsPerPage = this.#divide.documentsPerPage(itemsPerPage);
    const { ids, documentsPerId } = sample;
    const parts = Math.floor((ids.length * documentsPerId) / (documentsPerPage * minPagesPerRange));
    return intervalsBetween(chooseCuts(ids, Math.min(parts, this.readers * rangesPerReader)));
  }

  async #sharedIntervals(itemsPerPage: number, documents: number, rangeBytes: number): Promise<Interval[]> {
    const divide = this.#divide;
    if (divide === undefined) return intervalsBetween([]);
    const pages = documents / divide.documentsPerPage(itemsPerPage);
    const bytes = (documents / divide.documentsPerPage(unlimited)) * wantedPageBytes;
    const wanted = Math.max(minSharedRanges, Math.ceil(bytes / rangeBytes));
    const parts = Math.min(wanted, Math.floor(pages / minPagesPerRange));
    if (parts < 2) return intervalsBetween([]);
    const sample = await divide.sampleIds(Math.min(maxSampledIds, parts * idsPerSharedRange));
    return intervalsBetween(
      sample === null ? [] : chooseCuts(sample.ids, Math.min(parts, sample.ids.length)),
    );
  }

  /** @param ids of a range that are still to be read. @returns the one at which to split it; null if that does not pay */
  async cutIn(ids: readonly Uint8Array[], documentsPerPage: number): Promise<Uint8Array | null> {
    const sample = await this.sample();
    if (sample === null) return null;
    const pages = (ids.length * sample.documentsPerId) / documentsPerPage;
    return pages < minPagesToHalve ? null : (chooseCuts(ids, 2)[0] ?? null);
  }
}
