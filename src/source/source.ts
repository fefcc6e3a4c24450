/** What the pipeline asks of a source of documents; it never decodes them. */

import type { IndexSpec } from './index-spec.ts';
import type { Interval, Page } from './page.ts';

/**
 * `random`: the server chose. Where it cannot: `spread`, some from each part of the `_id` range; or `ends`, the first
 * and the last, where an `_id` has no middle.
 */
export type SampleMethod = 'random' | 'spread' | 'ends';

export interface Sample {
  /** Raw BSON. */
  readonly documents: Uint8Array[];
  readonly method: SampleMethod;
}

/** Where the reading of a collection can be divided. */
export interface IdSample {
  /** Chosen at random, each a BSON document `{_id: …}`; in the order of pages. */
  readonly ids: readonly Uint8Array[];
  /** How many documents there are for each of them, about. */
  readonly documentsPerId: number;
}

/** What every source has, and what only some can do. */
export interface Source {
  /** Says what is read, for messages; holds no secret. */
  readonly name: string;
  /** Tells a collection from another that has taken its name, and a dump from another; null where the server cannot. */
  readonly identity: string | null;
  /**
   * To be called when all is read, since what is gone reads like what is at its end. `pages` looks by itself before it ends.
   * @throws SourceChangedError when it is not what was opened, or has no documents any more
   */
  requireUnchanged(): Promise<void>;
  /** About how many documents there are; for progress only. */
  estimateCount(): Promise<number>;
  /** Up to `size` documents, for inferring the plan. */
  sample(size: number): Promise<Sample>;
  /** Every document of the interval once, always in the same order. Before it fails it gives what it has read. */
  pages(interval: Interval, itemsPerPage: number): AsyncGenerator<Page, void, undefined>;
  /** Absent where it is read from one end to the other. */
  readonly divide?: Divide;
  /** Absent for a source that does not change: what was read of it stands. */
  readonly lookup?: Lookup;
  /** What is known of the collection beside its documents. */
  readonly hints?: Hints;
}

/** A source that several can read at a time. */
export interface Divide {
  /** About as many as are wanted, fewer of few documents; null where the server cannot choose at random, or has too few. */
  sampleIds(wanted: number): Promise<IdSample | null>;
  /** Of these `_id`s (BSON documents, as many as a sample has), those that are to be read in the interval now; in the order of pages. */
  idsWithin(ids: readonly Uint8Array[], interval: Interval): Promise<Uint8Array[]>;
  /** About how many documents a page has when no more than so many are wanted; see `page-size.ts`. */
  documentsPerPage(itemsPerPage: number): number;
}

export interface Lookup {
  /** Documents by their `_id` (as BSON documents, in latin1), those that are still there. */
  readByIds(ids: readonly Uint8Array[]): Promise<Map<string, Uint8Array>>;
}

export interface Hints {
  /** Top-level fields that the collection's validator requires; empty where it has none. */
  requiredFields(): Promise<string[]>;
  /** All indexes, that of `_id` among them. */
  listIndexes(): Promise<IndexSpec[]>;
}
