/** One collection in memory: documents as raw BSON, found and read in `_id` order. */
import { byBytes, type TextOrder } from '../../../../../src/bson/match/compare.ts';
import { readInt32 } from '../../../../../src/bson/raw-value.ts';
import { DocumentHeap } from './document-heap.ts';
import type { Address } from './document-heap.ts';
import { idTypeOffset, idValueOffset, IdIndex } from './id-index.ts';
import { allIds } from '../../../../../src/bson/match/id-bounds.ts';
import type { Interval } from '../../../../../src/bson/match/id-bounds.ts';

/** Below this, the space of deleted documents is not worth a rewrite. */
const minReclaimedBytes = 2 ** 20;

/** A stored document in place. */
export interface DocumentRef {
  readonly bytes: Buffer;
  readonly start: number;
}

export class Collection {
  /** Of texts, as the collection's collation has it. */
  readonly order: TextOrder;
  #heap = new DocumentHeap();
  #index: IdIndex;
  /** Set when the collection is dropped, for the cursors that are still open on it. */
  isDropped = false;
  /** Bytes of the documents that are there now. */
  dataBytes = 0;

  constructor(order: TextOrder = byBytes) {
    this.order = order;
    this.#index = new IdIndex(this.#heap, order);
  }

  get size(): number {
    return this.#index.size;
  }

  /** Stores a copy of [start, end), which must begin with its `_id`; false when that `_id` already exists. */
  insert(bytes: Buffer, start: number, end: number): boolean {
    const position = this.#index.locate(bytes[start + idTypeOffset] ?? 0, bytes, start + idValueOffset);
    if (typeof position === 'number') {
      return false;
    }
    this.#index.insertAt(position, this.#heap.append(bytes, start, end));
    this.dataBytes += end - start;
    return true;
  }

  /** The address of the document with this `_id`. */
  find(type: number, bytes: Buffer, start: number): Address | undefined {
    const found = this.#index.locate(type, bytes, start);
    return typeof found === 'number' ? found : undefined;
  }

  /** Removes the documents at these addresses. */
  remove(addresses: readonly Address[]): void {
    for (const address of addresses) {
      const bytes = this.#heap.chunkOf(address);
      const start = this.#heap.offsetOf(address);
      this.#index.remove(bytes[start + idTypeOffset] ?? 0, bytes, start + idValueOffset);
      this.dataBytes -= readInt32(bytes, start);
    }
    this.#reclaim();
  }

  /** Stores documents in place of those with the same `_id`, which are there. */
  replace(documents: readonly Buffer[]): void {
    for (const document of documents) {
      const type = document[idTypeOffset] ?? 0;
      const old = this.find(type, document, idValueOffset);
      if (old === undefined) {
        continue;
      }
      this.dataBytes += document.length - readInt32(this.#heap.chunkOf(old), this.#heap.offsetOf(old));
      this.#index.replace(type, document, idValueOffset, this.#heap.append(document, 0, document.length));
    }
    this.#reclaim();
  }

  /** Another collection with the same documents. */
  copy(): Collection {
    const copy = new Collection(this.order);
    for (const { bytes, start } of this.scan()) {
      copy.insert(bytes, start, start + readInt32(bytes, start));
    }
    return copy;
  }

  count(intervals: readonly Interval[]): number {
    return this.#index.count(intervals);
  }

  refOf(address: Address): DocumentRef {
    return { bytes: this.#heap.chunkOf(address), start: this.#heap.offsetOf(address) };
  }

  chunkOf(address: Address): Buffer {
    return this.#heap.chunkOf(address);
  }

  offsetOf(address: Address): number {
    return this.#heap.offsetOf(address);
  }

  /** Addresses in `_id` order, by block; valid until the next insert or delete. */
  scanSlices(intervals: readonly Interval[], direction: 1 | -1): Iterable<Float64Array> {
    return this.#index.scanSlices(intervals, direction);
  }

  /** Addresses in `_id` order; valid until the next insert or delete. */
  scanAddresses(intervals: readonly Interval[] = allIds, direction: 1 | -1 = 1): Iterable<Address> {
    return this.#index.scan(intervals, direction);
  }

  *scan(
    intervals: readonly Interval[] = allIds,
    direction: 1 | -1 = 1,
  ): Generator<DocumentRef, void, undefined> {
    for (const address of this.#index.scan(intervals, direction)) {
      yield this.refOf(address);
    }
  }

  /** `wanted` different documents, in random order; all of them when there are fewer. */
  sample(wanted: number): DocumentRef[] {
    const ranks = pickRanks(wanted, this.size).sort((a, b) => a - b);
    const picked = Array.from(this.#index.pick(ranks), (address) => this.refOf(address));
    shuffle(picked);
    return picked;
  }

  /** Earlier addresses are no longer valid. */
  #reclaim(): void {
    const deadBytes = this.#heap.appendedBytes - this.dataBytes;
    if (deadBytes > minReclaimedBytes && deadBytes > this.dataBytes) {
      this.#compact();
    }
  }

  #compact(): void {
    const heap = new DocumentHeap();
    const index = new IdIndex(heap, this.order);
    for (const { bytes, start } of this.scan()) {
      const position = index.locate(bytes[start + idTypeOffset] ?? 0, bytes, start + idValueOffset);
      if (typeof position !== 'number') {
        index.insertAt(position, heap.append(bytes, start, start + readInt32(bytes, start)));
      }
    }
    this.#heap = heap;
    this.#index = index;
  }
}

export function shuffle(documents: DocumentRef[]): void {
  for (let index = documents.length - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    const [a, b] = [documents[index], documents[other]];
    if (a !== undefined && b !== undefined) {
      documents[index] = b;
      documents[other] = a;
    }
  }
}

/** Floyd's algorithm: `wanted` different numbers below `total`, each set of them equally likely. */
function pickRanks(wanted: number, total: number): number[] {
  const picked = new Set<number>();
  for (let top = Math.max(0, total - wanted); top < total; top++) {
    const rank = Math.floor(Math.random() * (top + 1));
    picked.add(picked.has(rank) ? top : rank);
  }
  return [...picked];
}
