import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deserialize, serialize } from 'bson';
import fc from 'fast-check';
import { Division } from '../../../src/reading/division.ts';
import type { RangeQueue } from '../../../src/reading/range-queue.ts';
import type { Range } from '../../../src/reading/range-reading.ts';
import { readRanges, type ReadersOptions } from '../../../src/reading/readers.ts';
import type { IdSample, Interval, Page } from '../../../src/source/source.ts';

const idOf = (id: Uint8Array): number => deserialize(id)._id as number;
const toId = (id: number): Uint8Array => serialize({ _id: id });

/** A collection of numbers whose pages come after so many turns of the event loop. */
class NumberSource {
  readonly ids: Set<number>;
  /** Turns, taken one after the other and again from the start. */
  readonly #delays: readonly number[];
  #asked = 0;
  reading = 0;
  /** Generators of pages that were neither read to their end nor ended. */
  open = 0;
  mostReading = 0;
  onPage: (asked: number) => void = () => undefined;

  constructor(ids: Iterable<number>, delays: readonly number[] = [1]) {
    this.ids = new Set(ids);
    this.#delays = delays;
  }

  async *pages({ afterId, untilId }: Interval, itemsPerPage: number): AsyncGenerator<Page, void, undefined> {
    this.open++;
    try {
      let page = await this.readPage({ afterId, untilId }, itemsPerPage);
      while (page !== null) {
        yield page;
        page = await this.readPage({ afterId: page.lastId, untilId }, itemsPerPage);
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
    return { documents: Buffer.from(JSON.stringify(found)), count: found.length, lastId: toId(last) };
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

  #within({ afterId, untilId }: Interval): number[] {
    const [after, until] = [
      afterId === null ? -Infinity : idOf(afterId),
      untilId === null ? Infinity : idOf(untilId),
    ];
    return [...this.ids].filter((id) => id > after && id <= until).sort((a, b) => a - b);
  }
}

/** Readers of all of a source, what they hand over, and the books in which ranges are split. */
function createReading(source: NumberSource, readers: number, sample: IdSample | null, itemsPerPage = 2) {
  const read: number[] = [];
  const books: {
    rangeNo: number;
    afterId: Uint8Array | null;
    untilId: Uint8Array | null;
    lastId: Uint8Array | null;
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
    open({ afterId, untilId }: Interval): Range {
      const range = { rangeNo: books.length + 1, epoch: 1, afterId, untilId };
      books.push({ ...range, lastId: null, documents: 0 });
      return range;
    },
  };
  const options: ReadersOptions = {
    source,
    division: new Division({ sampleIds: () => Promise.resolve(sample) }, readers),
    itemsPerPage,
    handOver: async ({ rangeNo, number, afterId, ...page }) => {
      reading.mostHeld = Math.max(reading.mostHeld, ++waiting + source.reading);
      const range = books[rangeNo - 1];
      assert.ok(range !== undefined);
      assert.deepEqual(afterId, range.lastId ?? range.afterId, 'the pages of a range are a chain');
      assert.equal(number, range.documents + 1, 'batches are numbered within their range');
      range.documents += page.count;
      range.lastId = page.lastId;
      read.push(...(JSON.parse(Buffer.from(page.documents).toString()) as number[]));
      await reading.onHandOver();
      waiting--;
    },
    isToStop: () => reading.isToStop,
  };
  const queueOf = (ranges: readonly Range[], waiting = [...ranges]): RangeQueue => ({
    take: () => Promise.resolve(waiting.shift() ?? null),
    finish: ({ rangeNo }, lastId) => {
      assert.ok(!ends.has(rangeNo), 'a range comes to its end once');
      ends.set(rangeNo, lastId);
      return Promise.resolve();
    },
    split: async ({ rangeNo, untilId }, cutId) => {
      assert.equal(isSplitting, false, 'the books are written by one at a time');
      isSplitting = true;
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      isSplitting = false;
      assert.ok(untilId === null || idOf(cutId) < idOf(untilId), 'there may be something behind the cut');
      const range = books[rangeNo - 1];
      assert.ok(range !== undefined);
      assert.deepEqual(range.untilId, untilId);
      assert.ok(
        range.lastId === null || idOf(range.lastId) < idOf(cutId),
        'a range is cut behind its reader',
      );
      range.untilId = cutId;
      reading.splits++;
      return reading.open({ afterId: cutId, untilId });
    },
  });
  return { reading, options, queueOf };
}

const sorted = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const everything = { afterId: null, untilId: null };

describe('readRanges', () => {
  it('whatever is inserted and deleted, what stays is read once, and nothing twice', async () => {
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
          const ranges = bounds.map((afterId, index) =>
            reading.open({ afterId, untilId: bounds[index + 1] ?? null }),
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
            reading.books.map(({ rangeNo, lastId }) => [rangeNo, lastId]),
          );
          assert.equal(source.open, 0);
          assert.ok(reading.mostHeld <= readers, `${reading.mostHeld} pages held by ${readers} readers`);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('splits what one has left until all have work, and no page is asked for twice', async () => {
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

  it('two that have nothing left halve different ranges, the larger one first', async () => {
    const source = new NumberSource(upTo(200));
    const { reading, options, queueOf } = createReading(source, 4, {
      ids: upTo(200).map(toId),
      documentsPerId: 1,
    });
    const halved: number[] = [];
    const bounds = [null, ...[89, 197, 198].map(toId), null];
    const ranges = bounds.slice(0, 4).map((afterId, index) => {
      return reading.open({ afterId, untilId: bounds[index + 1] ?? null });
    });
    const queue = queueOf(ranges);
    const split: RangeQueue['split'] = (range, cutId) => {
      halved.push(range.rangeNo);
      return queue.split(range, cutId);
    };
    await readRanges({ ...queue, split }, options);
    assert.deepEqual(sorted(reading.read), upTo(200));
    assert.deepEqual(halved.slice(0, 2), [2, 1]);
  });

  it('does not cut where a range ends anyway', async () => {
    const source = new NumberSource(upTo(100));
    const { reading, options, queueOf } = createReading(source, 2, { ids: [toId(99)], documentsPerId: 100 });
    await readRanges(queueOf([reading.open({ afterId: null, untilId: toId(99) })]), options);
    assert.deepEqual(reading.read, upTo(100));
    assert.equal(reading.splits, 0);
  });

  it('takes the length of pages that came for that of pages to come', async () => {
    // As where large documents make every page short: by the setting all of it is a single page.
    const source = new NumberSource(upTo(100));
    const { reading, options, queueOf } = createReading(
      source,
      2,
      { ids: upTo(100).map(toId), documentsPerId: 1 },
      1000,
    );
    const ask = source.readPage.bind(source);
    source.readPage = (interval) => ask(interval, 2);
    // The first to look for a range to split does so when a page has come.
    await readRanges(
      queueOf([
        reading.open({ afterId: null, untilId: toId(1) }),
        reading.open({ afterId: toId(1), untilId: null }),
      ]),
      options,
    );
    assert.deepEqual(sorted(reading.read), upTo(100));
    assert.ok(reading.splits > 0);
  });

  it('reads by one where nothing can be split', async () => {
    const source = new NumberSource(upTo(50));
    const { reading, options, queueOf } = createReading(source, 4, null);
    await readRanges(queueOf([reading.open(everything)]), options);
    assert.deepEqual(reading.read, upTo(50));
    assert.equal(source.mostReading, 1);
  });

  it('told to stop, asks for no further page, and no range counts as read', async () => {
    const source = new NumberSource(upTo(100));
    const { reading, options, queueOf } = createReading(source, 3, null);
    reading.onHandOver = () => {
      reading.isToStop = reading.read.length >= 6;
      return Promise.resolve();
    };
    const ranges = [0, 30, 60].map((after) =>
      reading.open({ afterId: toId(after), untilId: toId(after + 30) }),
    );
    await readRanges(queueOf(ranges), options);
    assert.deepEqual(reading.ends, new Map());
    assert.equal(reading.read.length, 6);
    assert.equal(source.open, 0);
  });

  it('a reader that fails ends the others, and is heard of when none is at work', async () => {
    const source = new NumberSource(upTo(100), [1, 1, 1, 1, 8, 1]);
    const { reading, options, queueOf } = createReading(source, 3, null);
    source.onPage = (asked) => {
      if (asked === 5) throw new Error('the server is on fire');
    };
    const ranges = [0, 30, 60].map((after) =>
      reading.open({ afterId: toId(after), untilId: toId(after + 30) }),
    );
    await assert.rejects(readRanges(queueOf(ranges), options), /on fire/);
    // The page that failed was never taken off.
    assert.equal(source.reading, 1);
    const { length } = reading.read;
    await new Promise(setImmediate);
    assert.equal(reading.read.length, length);
  });

  it('a split that cannot be written down ends all', async () => {
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
