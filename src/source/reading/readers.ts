/**
 * Reads ranges of a collection, several at once.
 *
 * A range:   queued ──→ open, read by one reader ──→ read to its end
 *                         └── split when another reader has nothing to do: that one gets the second half as an open range
 * Invariants
 * - a range has at most one page request at a time, and its end does not move meanwhile: so a page never contains documents
 *   that another reader has;
 * - a reader holds at most one page until there is room for it: n readers hold up to n pages, of up to 16 MB each, in
 *   addition to the batches in flight;
 * - the queue records the new end of a range (`split`) before another reader reads after it;
 * - after a failure, or when asked to stop, no more pages are requested.
 */

import type { Batch } from '../page.ts';
import type { Source } from '../source.ts';
import type { Division } from './division.ts';
import type { RangeQueue } from './range-queue.ts';
import { RangeReading } from './range-reading.ts';

export interface ReadersOptions {
  readonly source: Pick<Source, 'pages' | 'divide'>;
  readonly division: Division;
  readonly itemsPerPage: number;
  /** Accepts a page; resolves when there was room for it. */
  handOver(batch: Batch): Promise<void>;
  isToStop(): boolean;
  /** Measures the wait for a page; returns the same result. */
  timed?(page: Promise<Batch | null>): Promise<Batch | null>;
}

/** Resolves when every range of the queue is read, or all readers have stopped. */
export async function readRanges(queue: RangeQueue, options: ReadersOptions): Promise<void> {
  await new Readers(queue, options).read();
}

class Readers {
  readonly #options: ReadersOptions;
  readonly #queue: RangeQueue;
  readonly #open = new Set<RangeReading>();
  #documents = 0;
  #pages = 0;
  #failure: { readonly error: unknown } | undefined;
  /** One reader at a time looks for the slowest range, so that two do not split the same range. */
  #splitting: Promise<unknown> = Promise.resolve();

  constructor(queue: RangeQueue, options: ReadersOptions) {
    this.#options = options;
    this.#queue = queue;
  }

  async read(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.division.readers }, () => this.#work()));
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Never rejects. `read` throws the first failure once all readers have stopped. */
  async #work(): Promise<void> {
    try {
      while (!this.#isToStop()) {
        const range = (await this.#take()) ?? (await this.#takeHalfOfSlowest());
        if (range !== undefined) await this.#readToEnd(range);
        else if (!(await this.#mayMoreCome())) return;
      }
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  async #take(): Promise<RangeReading | undefined> {
    const range = await this.#queue.take();
    return range === null ? undefined : new RangeReading(range);
  }

  async #mayMoreCome(): Promise<boolean> {
    return (await this.#queue.untilMore?.(() => this.#isToStop())) ?? false;
  }

  async #readToEnd(range: RangeReading): Promise<void> {
    this.#open.add(range);
    try {
      while (!range.isAtEnd && !this.#isToStop()) await this.#readPage(range);
    } finally {
      this.#open.delete(range);
      await range.inTurn(() => range.close());
    }
    // When asked to stop, the last page may not have been submitted.
    if (range.isAtEnd && !this.#isToStop()) await this.#queue.finish(range, range.last);
  }

  async #readPage(range: RangeReading): Promise<void> {
    const { source, itemsPerPage } = this.#options;
    const page = await range.inTurn(() => {
      const asked = range.readPage(source, itemsPerPage);
      return this.#options.timed?.(asked) ?? asked;
    });
    if (page === null || this.#isToStop()) return;
    this.#documents += page.documentCount;
    this.#pages++;
    await this.#options.handOver(page);
  }

  #takeHalfOfSlowest(): Promise<RangeReading | undefined> {
    const half = this.#splitting.then(async () => {
      for (;;) {
        const slowest = await this.#findSlowest();
        if (slowest === undefined) return undefined;
        const found = await slowest.inTurn(() => this.#split(slowest));
        if (found !== undefined) return found;
      }
    });
    this.#splitting = half.catch(() => undefined);
    return half;
  }

  /** The range with the most unread ids; undefined if no range is worth splitting. */
  async #findSlowest(): Promise<RangeReading | undefined> {
    let slowest: RangeReading | undefined;
    let most = 0;
    for (const range of this.#open) {
      if (this.#isToStop()) return undefined;
      const ids = await this.#readIdsLeft(range);
      if (ids.length <= most || (await this.#cutIn(ids)) === null) continue;
      slowest = range;
      most = ids.length;
    }
    return slowest;
  }

  /** Call it within `inTurn` of the range. @returns the part after the cut; undefined if too little is left by now */
  async #split(range: RangeReading): Promise<RangeReading | undefined> {
    if (range.isAtEnd || this.#isToStop()) return undefined;
    const ids = await this.#readIdsLeft(range);
    const cut = await this.#cutIn(ids);
    if (cut === null) return undefined;
    const rest = await this.#queue.split(range, cut);
    const index = ids.indexOf(cut);
    await range.cut(cut);
    range.ids = ids.slice(0, index);
    return new RangeReading(rest, ids.slice(index + 1));
  }

  /** The sampled ids in the unread part of the range, without its end, where a cut would be useless. */
  async #readIdsLeft(range: RangeReading): Promise<readonly Uint8Array[]> {
    const ids = range.ids ?? (await this.#options.division.sample())?.ids ?? [];
    const { until } = range;
    const within = (await this.#options.source.divide?.idsWithin(ids, range.rest)) ?? [];
    const left = until === null ? within : within.filter((id) => Buffer.compare(id, until) !== 0);
    range.ids = left;
    return left;
  }

  #cutIn(ids: readonly Uint8Array[]): Promise<Uint8Array | null> {
    const { division, itemsPerPage } = this.#options;
    // Pages of large documents have fewer documents, because the server limits a reply to 16 MB.
    const documentsPerPage = this.#pages === 0 ? itemsPerPage : this.#documents / this.#pages;
    return division.cutIn(ids, documentsPerPage);
  }

  #isToStop(): boolean {
    return this.#failure !== undefined || this.#options.isToStop();
  }
}
