import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import { Division } from '../../../../src/source/reading/division.ts';
import type { RangeQueue } from '../../../../src/source/reading/range-queue.ts';
import { readRanges, type ReadersOptions } from '../../../../src/source/reading/readers.ts';
import type { Interval, Page, Range } from '../../../../src/source/page.ts';
import type { IdSample } from '../../../../src/source/source.ts';
import fc from '../../../support/fast-check.ts';

const idOf = (id: Uint8Array): number => deserialize(id)._id as number;
const toId = (id: number): Uint8Array => serialize({ _id: id });

/** A collection of numbers whose pages arrive after so many turns of the event loop. */
class NumberSource {
  readonly ids: Set<number>;
  /** Turns, taken one after the other and again from the start. */
  readonly #delays: readonly number[];
  #asked = 0;
  reading = 0;
  /** Generators of pages that were neither read to their end nor closed. */
  open = 0;
  mostReading = 0;
  onPage: (asked: number) => void = () => undefined;

  constructor(ids: Iterable<number>, delays: readonly number[] = [1]) {
    this.ids = new Set(ids);
    this.#delays = delays;
  }

  async *pages({ after, until }: Interval, itemsPerPage: number): AsyncGenerator<Page, void, undefined> {
    this.open++;
    try {
      let page = await this.readPage({ after, until }, itemsPerPage);
      while (page !== null) {
        yield page;
        page = await this.readPage({ after: page.last, until }, itemsPerPage);
      }
    } finally {
      this.open--;
    }
  }

  async readPage(interval: Interval, limit: number): Promise<Page | null> {
    this.mostReading = Math.max(this.mostReading, ++this.reading);
    const asked = this.#asked++;
    await this.#pass(asked);
    this.onPage(asked);
    this.reading--;
    const found = this.#within(interval).slice(0, limit);
    const last = found.at(-1);
    if (last === undefined) return null;
    return { bytes: Buffer.from(JSON.stringify(found)), documentCount: found.length, last: toId(last) };
  }

  async idsWithin(ids: readonly Uint8Array[], interval: Interval): Promise<Uint8Array[]> {
    await this.#pass(ids.length);
    const within = new Set(this.#within(interval));
    return ids.filter((id) => within.has(idOf(id)));
  }

  async #pass(seed: number): Promise<void> {
    const turns = this.#delays[seed % this.#delays.length] ?? 0;
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
  }

  #within({ after, until }: Interval): number[] {
    const [low, high] = [after === null ? -Infinity : idOf(after), until === null ? Infinity : idOf(until)];
    return [...this.ids].filter((id) => id > low && id <= high).sort((a, b) => a - b);
  }
}

/** Readers of a whole source, what they deliver, and the queue in which ranges are split. */
function createReading(source: NumberSource, readers: number, sample: IdSample | null, itemsPerPage = 2) {
  const read: number[] = [];
  const books: {
    rangeNo: number;
    after: Uint8Array | null;
    until: Uint8Array | null;
    last: Uint8Array | null;
    documents: number;
  }[] = [];
  const ends = new Map<number, Uint8Array | null>();
  let waiting = 0;
  let isSplitting = false;
  const reading = {
    read,
    books,
    ends,
    splits: 0,
    isToStop: false,
    onHandOver: (): Promise<void> => Promise.resolve(),
    mostHeld: 0,
    open({ after, until }: Interval): Range {
      const range = { rangeNo: books.length + 1, epoch: 1, after, until };
      books.push({ ...range, last: null, documents: 0 });
      return range;
    },
  };
  const divide = {
    idsWithin: (ids: readonly Uint8Array[], interval: Interval) => source.idsWithin(ids, interval),
    documentsPerPage: (items: number) => items,
    sampleIds: () => Promise.resolve(sample),
  };
  const options: ReadersOptions = {
    source: { pages: (interval, items) => source.pages(interval, items), divide },
    division: new Division({ divide }, readers),
    itemsPerPage,
    handOver: async ({ rangeNo, number, after, ...page }) => {
      reading.mostHeld = Math.max(reading.mostHeld, ++waiting + source.reading);
      const range = books[rangeNo - 1];
      assert.ok(range !== undefined);
      assert.deepEqual(after, range.last ?? range.after, 'the pages of a range are a chain');
      assert.equal(number, range.documents + 1, 'batches are numbered within their range');
      range.documents += page.documentCount;
      range.last = page.last;
      read.push(...(JSON.parse(Buffer.from(page.bytes).toString()) as number[]));
      await reading.onHandOver();
      waiting--;
    },
    isToStop: () => reading.isToStop,
  };
  const queueOf = (ranges: readonly Range[], waiting = [...ranges]): RangeQueue => ({
    take: () => Promise.resolve(waiting.shift() ?? null),
    finish: ({ rangeNo }, last) => {
      assert.ok(!ends.has(rangeNo), 'a range comes to its end once');
      ends.set(rangeNo, last);
      return Promise.resolve();
    },
    split: async ({ rangeNo, until }, cut) => {
      assert.equal(isSplitting, false, 'the books are written by one at a time');
      isSplitting = true;
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      isSplitting = false;
      assert.ok(until === null || idOf(cut) < idOf(until), 'there may be something behind the cut');
      const range = books[rangeNo - 1];
      assert.ok(range !== undefined);
      assert.deepEqual(range.until, until);
      assert.ok(range.last === null || idOf(range.last) < idOf(cut), 'a range is cut behind its reader');
      range.until = cut;
      reading.splits++;
      return reading.open({ after: cut, until });
    },
  });
  return { reading, options, queueOf };
}

const sorted = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const everything = { after: null, until: null };

describe('readRanges', () => {
  it('with inserts and deletes, every lasting document is read once, and none twice', async () => {
    const id = fc.integer({ min: 0, max: 60 });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          ids: fc.uniqueArray(id, { maxLength: 60 }),
          cuts: fc.uniqueArray(id, { maxLength: 5 }).map(sorted),
          writes: fc.array(fc.record({ id, isInsert: fc.boolean() }), { maxLength: 40 }),
          delays: fc.array(fc.nat(4), { minLength: 1, maxLength: 7 }),
          readers: fc.integer({ min: 1, max: 4 }),
          itemsPerPage: fc.integer({ min: 1, max: 5 }),
          documentsPerId: fc.integer({ min: 1, max: 9 }),
        }),
        async ({ ids, cuts, writes, delays, readers, itemsPerPage, documentsPerId }) => {
          const source = new NumberSource(ids, delays);
          source.onPage = (asked) => {
            const write = writes[asked];
            if (write?.isInsert === true) source.ids.add(write.id);
            else if (write !== undefined) source.ids.delete(write.id);
          };
          const sampled = sorted(ids).filter((_, index) => index % documentsPerId === 0);
          const sample = { ids: sampled.map(toId), documentsPerId };
          const { reading, options, queueOf } = createReading(source, readers, sample, itemsPerPage);
          const bounds = [null, ...cuts.map(toId)];
          const ranges = bounds.map((after, index) =>
            reading.open({ after, until: bounds[index + 1] ?? null }),
          );
          await readRanges(queueOf(ranges), options);
          const written = new Set(writes.map((write) => write.id));
          const counts = new Map<number, number>();
          for (const found of reading.read) counts.set(found, (counts.get(found) ?? 0) + 1);
          assert.deepEqual(
            [...counts.values()].filter((count) => count !== 1),
            [],
          );
          assert.deepEqual(
            sorted(reading.read.filter((found) => !written.has(found))),
            sorted(ids.filter((stays) => !written.has(stays))),
          );
          assert.deepEqual(
            [...reading.ends].sort(([a], [b]) => a - b),
            reading.books.map(({ rangeNo, last }) => [rangeNo, last]),
          );
          assert.equal(source.open, 0);
          assert.ok(reading.mostHeld <= readers, `${reading.mostHeld} pages held by ${readers} readers`);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('splits the rest of one until all have work, and no page is requested twice', async () => {
    const source = new NumberSource(upTo(400));
    const { reading, options, queueOf } = createReading(source, 4, {
      ids: upTo(400).map(toId),
      documentsPerId: 1,
    });
    await readRanges(queueOf([reading.open(everything)]), options);
    assert.deepEqual(sorted(reading.read), upTo(400));
    assert.ok(reading.splits >= 3, `${reading.splits} splits`);
    assert.equal(source.mostReading, 4);
  });

  it('two idle readers split different ranges, the larger one first', async () => {
    const source = new NumberSource(upTo(200));
    const { reading, options, queueOf } = createReading(source, 4, {
      ids: upTo(200).map(toId),
      documentsPerId: 1,
    });
    const halved: number[] = [];
    const bounds = [null, ...[89, 197, 198].map(toId), null];
    const ranges = bounds.slice(0, 4).map((after, index) => {
      return reading.open({ after, until: bounds[index + 1] ?? null });
    });
    const queue = queueOf(ranges);
    const split: RangeQueue['split'] = (range, cut) => {
      halved.push(range.rangeNo);
      return queue.split(range, cut);
    };
    await readRanges({ ...queue, split }, options);
    assert.deepEqual(sorted(reading.read), upTo(200));
    assert.deepEqual(halved.slice(0, 2), [2, 1]);
  });

  it('does not split at the end of a range', async () => {
    const source = new NumberSource(upTo(100));
    const { reading, options, queueOf } = createReading(source, 2, { ids: [toId(99)], documentsPerId: 100 });
    await readRanges(queueOf([reading.open({ after: null, until: toId(99) })]), options);
    assert.deepEqual(reading.read, upTo(100));
    assert.equal(reading.splits, 0);
  });

  it('estimates the length of pages by earlier ones', async () => {
    // As with large documents that make every page short: by the setting all of it is a single page.
    const source = new NumberSource(upTo(100));
    const { reading, options, queueOf } = createReading(
      source,
      2,
      { ids: upTo(100).map(toId), documentsPerId: 1 },
      1000,
    );
    const ask = source.readPage.bind(source);
    source.readPage = (interval) => ask(interval, 2);
    // The first reader looks for a range to split when a page has arrived.
    await readRanges(
      queueOf([reading.open({ after: null, until: toId(1) }), reading.open({ after: toId(1), until: null })]),
      options,
    );
    assert.deepEqual(sorted(reading.read), upTo(100));
    assert.ok(reading.splits > 0);
  });

  it('reads with one reader if nothing can be split', async () => {
    const source = new NumberSource(upTo(50));
    const { reading, options, queueOf } = createReading(source, 4, null);
    await readRanges(queueOf([reading.open(everything)]), options);
    assert.deepEqual(reading.read, upTo(50));
    assert.equal(source.mostReading, 1);
  });

  it('when stopped, requests no further page, and no range counts as read', async () => {
    const source = new NumberSource(upTo(100));
    const { reading, options, queueOf } = createReading(source, 3, null);
    reading.onHandOver = () => {
      reading.isToStop = reading.read.length >= 6;
      return Promise.resolve();
    };
    const ranges = [0, 30, 60].map((after) => reading.open({ after: toId(after), until: toId(after + 30) }));
    await readRanges(queueOf(ranges), options);
    assert.deepEqual(reading.ends, new Map());
    assert.equal(reading.read.length, 6);
    assert.equal(source.open, 0);
  });

  it('a reader that fails ends the others, and is reported when none is active', async () => {
    const source = new NumberSource(upTo(100), [1, 1, 1, 1, 8, 1]);
    const { reading, options, queueOf } = createReading(source, 3, null);
    source.onPage = (asked) => {
      if (asked === 5) throw new Error('the server is on fire');
    };
    const ranges = [0, 30, 60].map((after) => reading.open({ after: toId(after), until: toId(after + 30) }));
    await assert.rejects(readRanges(queueOf(ranges), options), /on fire/);
    // The page that failed was never taken.
    assert.equal(source.reading, 1);
    const { length } = reading.read;
    await new Promise(setImmediate);
    assert.equal(reading.read.length, length);
  });

  it('a split that cannot be recorded ends all', async () => {
    const source = new NumberSource(upTo(100));
    const { reading, options, queueOf } = createReading(source, 2, {
      ids: upTo(100).map(toId),
      documentsPerId: 1,
    });
    const split = () => Promise.reject(new Error('the disk is full'));
    const queue = { ...queueOf([reading.open(everything)]), split };
    await assert.rejects(readRanges(queue, options), /disk is full/);
  });
});
