/** The interface between the pipeline and a source of documents. The pipeline's primary never decodes documents. */

import type { IndexSpec } from './index-spec.ts';
import type { Interval, Page } from './page.ts';

/**
 * `random`: chosen by the server. If it cannot: `spread`, some from each part of the `_id` range; or `ends`, the first and
 * the last documents, if `_id`s of this type have no middle.
 */
export type SampleMethod = 'random' | 'spread' | 'ends';

export interface Sample {
  /** Raw BSON. */
  readonly documents: Uint8Array[];
  readonly method: SampleMethod;
}

/** Sampled ids, at which a collection can be divided. */
export interface IdSample {
  /** Random, in the order of pages; each is a BSON document `{_id: …}`. */
  readonly ids: readonly Uint8Array[];
  /** The approximate number of documents per sampled id. */
  readonly documentsPerId: number;
}

/** A source of documents, with optional capabilities. */
export interface Source {
  /** For messages; contains no secret. */
  readonly name: string;
  /** Distinguishes a collection from another of the same name, and a dump from another; null if the server cannot. */
  readonly identity: string | null;
  /**
   * Call it when everything is read, because a dropped collection looks like one that is read to its end. `pages` checks it
   * by itself before it ends.
   * @throws SourceChangedError if it is not the collection that was opened, or is empty now
   */
  requireUnchanged(): Promise<void>;
  /** The approximate number of documents; for progress only. */
  estimateCount(): Promise<number>;
  /** Up to `size` documents, for inferring the plan. */
  sample(size: number): Promise<Sample>;
  /** Every document of the interval once, always in the same order. Before an error, it yields what it has read. */
  pages(interval: Interval, itemsPerPage: number): AsyncGenerator<Page, void, undefined>;
  /** Absent if it can only be read by one reader. */
  readonly divide?: Divide;
  /** Absent for a source that does not change. */
  readonly lookup?: Lookup;
  /** Milliseconds that a throttle has held back all readers together; absent without a throttle. */
  readonly heldMs?: number;
  /** Metadata of the collection. */
  readonly hints?: Hints;
}

/** A source that several readers can read in parallel. */
export interface Divide {
  /** About `wanted` ids; null if the server cannot sample, or the collection is too small. */
  sampleIds(wanted: number): Promise<IdSample | null>;
  /** Those of the `ids` (sampled before) that are in the interval now, in the order of pages. */
  idsWithin(ids: readonly Uint8Array[], interval: Interval): Promise<Uint8Array[]>;
  /** The approximate number of documents on a page of at most `itemsPerPage`; see `page-size.ts`. */
  documentsPerPage(itemsPerPage: number): number;
}

export interface Lookup {
  /** The documents that still exist, by their `_id` (as a BSON document, in latin1). */
  readByIds(ids: readonly Uint8Array[]): Promise<Map<string, Uint8Array>>;
  /** Counts the documents; not the server's estimate. */
  countDocuments(): Promise<number>;
}

export interface Hints {
  /** Top-level fields that the collection's validator requires; empty without a validator. */
  requiredFields(): Promise<string[]>;
  /** All indexes, including that on `_id`. */
  listIndexes(): Promise<IndexSpec[]>;
}
