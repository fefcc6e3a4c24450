/**
 * Reads ranges of a collection, several at once.
 *
 * A range:   queued ──→ open, read by one reader ──→ read to its end
 *                         └── split when another reader has nothing to do: its rest becomes an open range of that one
 * Invariants
 * - of a range one page at a time is on its way, and while it is, the range's end stays where it is: a page that was asked
 *   for never reaches into what another reader has;
 * - a reader holds one page at most, until there is room for it: with n readers n pages, of up to 16 MB each, wait beside
 *   what is in flight;
 * - the end of a range moves in the queue's books (`split`) before anybody reads behind it;
 * - after a failure, or when told to stop, no further page is asked for.
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
  /** Takes a page on; resolves when there was room for it. */
  handOver(batch: Batch): Promise<void>;
  isToStop(): boolean;
  /** Measures how long a page is waited for; what it waits for is the result. */
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
  /** One reader at a time looks for the slowest range, so that two do not halve the same. */
  #splitting: Promise<unknown> = Promise.resolve();

  constructor(queue: RangeQueue, options: ReadersOptions) {
    this.#options = options;
    this.#queue = queue;
  }

  async read(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.division.readers }, () => this.#work()));
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Never rejects: the first failure of all readers is told when none of them is at work any more. */
  async #work(): Promise<void> {
    try {
      while (!this.#isToStop()) {
        const range = (await this.#take()) ?? (await this.#takeHalfOfSlowest());
        if (range === undefined) return;
        await this.#readToEnd(range);
      }
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  async #take(): Promise<RangeReading | undefined> {
    const range = await this.#queue.take();
    return range === null ? undefined : new RangeReading(range);
  }

  async #readToEnd(range: RangeReading): Promise<void> {
    this.#open.add(range);
    try {
      while (!range.isAtEnd && !this.#isToStop()) await this.#readPage(range);
    } finally {
      this.#open.delete(range);
      await range.inTurn(() => range.close());
    }
    // When told to stop, the last page may not have been handed over.
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

  /** The range with the most ids left; undefined when no range is worth dividing. */
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

  /** To be called in the range's turn. @returns what comes after the cut; undefined when too little is left by now */
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

  /** The sampled ids that lie between where the range's reader is and its end; that itself is no place to cut. */
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
    // Pages of large documents are cut short by the server.
    const documentsPerPage = this.#pages === 0 ? itemsPerPage : this.#documents / this.#pages;
    return division.cutIn(ids, documentsPerPage);
  }

  #isToStop(): boolean {
    return this.#failure !== undefined || this.#options.isToStop();
  }
}
