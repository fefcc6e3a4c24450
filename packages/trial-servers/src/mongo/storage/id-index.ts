/**
 * The index on `_id`: addresses of documents in `_id` order, in blocks of bounded size.
 *
 * Ascending ids fill the blocks to the brim; ids out of order (parallel inserters, random ids) cost a binary search
 * and one short move within a block, so that no insert is linear in the collection.
 */
import { byBytes, compareValues, type TextOrder } from '../../../../../src/bson/match/compare.ts';
import type { Address, DocumentHeap } from './document-heap.ts';
import { compareToBound } from '../../../../../src/bson/match/id-bounds.ts';
import type { Bound, Interval } from '../../../../../src/bson/match/id-bounds.ts';

/** 8 KiB of addresses: moving half of it costs less than finding the place. */
const blockCapacity = 1024;

/** A stored document begins with its `_id`: length (4 bytes), type, `_id` and its zero, value. */
export const idTypeOffset = 4;
export const idValueOffset = 9;

interface Block {
  readonly addresses: Float64Array;
  count: number;
}

/** A place between two entries: before entry `slot` of block `block`. */
interface Position {
  readonly block: number;
  readonly slot: number;
}

export class IdIndex {
  readonly #heap: DocumentHeap;
  readonly #order: TextOrder;
  readonly #blocks: Block[] = [];
  /** Where the last insert went: an inserter usually inserts just after its document before. */
  #lastInsert: Position | undefined;
  /** How many documents there are. */
  size = 0;

  /** @param order of texts; what it takes for equal is one `_id` */
  constructor(heap: DocumentHeap, order: TextOrder = byBytes) {
    this.#heap = heap;
    this.#order = order;
  }

  /** The address of the document with this `_id`, or the place where it belongs. */
  locate(type: number, bytes: Buffer, start: number): Address | Position {
    const last = this.#blocks.at(-1);
    if (last !== undefined) {
      const difference = this.#compareEntry(last, last.count - 1, type, bytes, start);
      if (difference < 0) {
        return { block: this.#blocks.length - 1, slot: last.count };
      }
    }
    const next = this.#findAfterLastInsert(type, bytes, start);
    if (next !== undefined) {
      return next;
    }
    const position = this.#findFirst(
      (block, slot) => this.#compareEntry(block, slot, type, bytes, start) >= 0,
    );
    const block = this.#blocks[position.block];
    if (block !== undefined && position.slot < block.count) {
      if (this.#compareEntry(block, position.slot, type, bytes, start) === 0) {
        return block.addresses[position.slot] ?? 0;
      }
    }
    return position;
  }

  /** Enters a document at the place that `locate` found for its `_id`. */
  insertAt(position: Position, address: Address): void {
    this.size++;
    let { block: number, slot } = position;
    let block = this.#blocks[number];
    if (block === undefined) {
      block = createBlock();
      this.#blocks.push(block);
    } else if (block.count === blockCapacity) {
      const next = createBlock();
      this.#blocks.splice(position.block + 1, 0, next);
      const isAppend = position.block === this.#blocks.length - 2 && slot === blockCapacity;
      const kept = isAppend ? blockCapacity : blockCapacity / 2;
      next.addresses.set(block.addresses.subarray(kept));
      next.count = blockCapacity - kept;
      block.count = kept;
      if (slot > kept || isAppend) {
        slot -= kept;
        block = next;
        number++;
      }
    }
    if (slot < block.count) {
      block.addresses.copyWithin(slot + 1, slot, block.count);
    }
    block.addresses[slot] = address;
    block.count++;
    this.#lastInsert = { block: number, slot };
  }

  /** Removes the document with this `_id`; false when there is none. */
  remove(type: number, bytes: Buffer, start: number): boolean {
    const { block: number, slot } = this.#findFirst(
      (block, slot) => this.#compareEntry(block, slot, type, bytes, start) >= 0,
    );
    const block = this.#blocks[number];
    if (block === undefined || slot >= block.count) {
      return false;
    }
    if (this.#compareEntry(block, slot, type, bytes, start) !== 0) {
      return false;
    }
    block.addresses.copyWithin(slot, slot + 1, block.count);
    block.count--;
    this.#lastInsert = undefined;
    this.size--;
    if (block.count === 0) {
      this.#blocks.splice(number, 1);
    }
    return true;
  }

  /** Has the entry of this `_id` lead to another document of the same `_id`. */
  replace(type: number, bytes: Buffer, start: number, address: Address): void {
    const { block: number, slot } = this.#findFirst(
      (block, slot) => this.#compareEntry(block, slot, type, bytes, start) >= 0,
    );
    const block = this.#blocks[number];
    if (block !== undefined && slot < block.count) {
      block.addresses[slot] = address;
    }
  }

  /** How many documents lie in the intervals. */
  count(intervals: readonly Interval[]): number {
    let total = 0;
    for (const { low, high } of intervals) {
      const from = this.#seek(low);
      const to = this.#seek(high);
      for (let block = from.block; block < to.block; block++) {
        total += this.#blocks[block]?.count ?? 0;
      }
      total += to.slot - from.slot;
    }
    return total;
  }

  /** The addresses in the intervals, in order; valid until the next insert or delete. */
  *scan(intervals: readonly Interval[], direction: 1 | -1): Generator<Address, void, undefined> {
    for (const slice of this.scanSlices(intervals, direction)) {
      yield* slice;
    }
  }

  /** As `scan`, by block: cheaper where most of a collection is read. */
  *scanSlices(intervals: readonly Interval[], direction: 1 | -1): Generator<Float64Array, void, undefined> {
    for (const { low, high } of direction === 1 ? intervals : [...intervals].reverse()) {
      const from = this.#seek(low);
      const to = this.#seek(high);
      const first = direction === 1 ? from.block : to.block;
      for (let number = first; number >= from.block && number <= to.block; number += direction) {
        const block = this.#blocks[number];
        if (block === undefined) {
          continue;
        }
        const start = number === from.block ? from.slot : 0;
        const end = number === to.block ? to.slot : block.count;
        if (start < end) {
          const slice = block.addresses.subarray(start, end);
          yield direction === 1 ? slice : slice.slice().reverse();
        }
      }
    }
  }

  /** The addresses at these ranks (0 is the lowest `_id`), which must ascend. */
  *pick(ranks: Iterable<number>): Generator<Address, void, undefined> {
    let number = 0;
    let passed = 0;
    for (const rank of ranks) {
      let block = this.#blocks[number];
      while (block !== undefined && rank - passed >= block.count) {
        passed += block.count;
        block = this.#blocks[++number];
      }
      if (block === undefined) {
        return;
      }
      yield block.addresses[rank - passed] ?? 0;
    }
  }

  /** The place after the last insert, where the `_id` belongs between that document and the next of its block. */
  #findAfterLastInsert(type: number, bytes: Buffer, start: number): Position | undefined {
    const last = this.#lastInsert;
    const block = last && this.#blocks[last.block];
    if (last === undefined || block === undefined || last.slot + 1 >= block.count) {
      return undefined;
    }
    const isBetween =
      this.#compareEntry(block, last.slot, type, bytes, start) < 0 &&
      this.#compareEntry(block, last.slot + 1, type, bytes, start) > 0;
    return isBetween ? { block: last.block, slot: last.slot + 1 } : undefined;
  }

  #seek(bound: Bound): Position {
    return this.#findFirst((block, slot) => {
      const address = block.addresses[slot] ?? 0;
      const chunk = this.#heap.chunkOf(address);
      const offset = this.#heap.offsetOf(address);
      return compareToBound(chunk[offset + idTypeOffset] ?? 0, chunk, offset + idValueOffset, bound) > 0;
    });
  }

  /** Binary search for the first entry that is at or after the place sought: first its block, then its slot. */
  #findFirst(isAtOrAfter: (block: Block, slot: number) => boolean): Position {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const block = this.#blocks[middle];
      if (block === undefined || isAtOrAfter(block, block.count - 1)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    const number = low;
    const block = this.#blocks[number];
    if (block === undefined) {
      const last = this.#blocks.length - 1;
      return last < 0 ? { block: 0, slot: 0 } : { block: last, slot: this.#blocks[last]?.count ?? 0 };
    }
    low = 0;
    high = block.count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAtOrAfter(block, middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return { block: number, slot: low };
  }

  #compareEntry(block: Block, slot: number, type: number, bytes: Buffer, start: number): number {
    const address = block.addresses[slot] ?? 0;
    const chunk = this.#heap.chunkOf(address);
    const offset = this.#heap.offsetOf(address);
    return compareValues(
      chunk[offset + idTypeOffset] ?? 0,
      chunk,
      offset + idValueOffset,
      type,
      bytes,
      start,
      this.#order,
    );
  }
}

function createBlock(): Block {
  return { addresses: new Float64Array(blockCapacity), count: 0 };
}
