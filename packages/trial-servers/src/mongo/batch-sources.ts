/** The two sources of a cursor's documents: a collection read along its index, and a list made beforehand. */
import { serialize } from 'bson';
import type { Document, UUID } from 'bson';
import type { Batch } from './batch.ts';
import { findValueEnd, readInt32 } from '../../../../src/bson/raw-value.ts';
import type { RawValue } from '../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import type { Collection, DocumentRef } from './storage/collection.ts';
import type { BatchSource } from './cursors.ts';
import { CommandError, ErrorCode } from './errors.ts';
import type { Filter } from '../../../../src/bson/match/filter.ts';
import { after, before, intersect } from '../../../../src/bson/match/id-bounds.ts';
import type { Bound, Interval } from '../../../../src/bson/match/id-bounds.ts';
import { idTypeOffset, idValueOffset } from './storage/id-index.ts';
import type { Projection } from './query/projection.ts';

export interface IndexRead {
  /** Of the collection, for when it is dropped. */
  readonly uuid: UUID;
  readonly filter: Filter;
  readonly direction: 1 | -1;
  readonly skip: number;
  /** 0 for no limit. */
  readonly limit: number;
  readonly project: Projection | undefined;
}

/** Reads a collection in `_id` order; between batches it remembers only the last `_id`, so that writes can continue. */
export class IndexSource implements BatchSource {
  readonly #collection: Collection;
  readonly #read: IndexRead;
  #intervals: readonly Interval[];
  #skipLeft: number;
  #limitLeft: number;

  constructor(collection: Collection, read: IndexRead) {
    this.#collection = collection;
    this.#read = read;
    this.#intervals = read.filter.idIntervals;
    this.#skipLeft = read.skip;
    this.#limitLeft = read.limit === 0 ? Infinity : read.limit;
  }

  fill(batch: Batch, maxDocuments: number): boolean {
    const { direction, filter, project } = this.#read;
    const { test } = filter;
    const wanted = Math.min(maxDocuments, this.#limitLeft);
    const collection = this.#collection;
    if (collection.isDropped) {
      throw new CommandError(
        ErrorCode.queryPlanKilled,
        `collection dropped. UUID ${this.#read.uuid.toHexString()}`,
      );
    }
    let lastAddress = -1;
    let isExhausted = true;
    scan: for (const slice of collection.scanSlices(this.#intervals, direction)) {
      for (const address of slice) {
        const bytes = collection.chunkOf(address);
        const start = collection.offsetOf(address);
        if (test?.(bytes, start) === false) {
          continue;
        }
        if (this.#skipLeft > 0) {
          this.#skipLeft--;
        } else if (batch.count >= wanted || !addTo(batch, bytes, start, project)) {
          isExhausted = batch.count >= this.#limitLeft;
          break scan;
        }
        lastAddress = address;
      }
    }
    this.#limitLeft -= batch.count;
    if (lastAddress !== -1 && !isExhausted) {
      this.#continueAfter(lastAddress);
    }
    return isExhausted;
  }

  #continueAfter(address: number): void {
    const { order } = this.#collection;
    const id = copyId(this.#collection.refOf(address));
    const rest =
      this.#read.direction === 1
        ? { low: after(id, order), high: endOfOrder }
        : { low: startOfOrder, high: before(id, order) };
    this.#intervals = intersect(this.#intervals, [rest]);
  }
}

/** Returns documents from a list. */
export class ListSource implements BatchSource {
  readonly #documents: readonly DocumentRef[];
  #next = 0;

  constructor(documents: readonly DocumentRef[]) {
    this.#documents = documents;
  }

  fill(batch: Batch, maxDocuments: number): boolean {
    for (; this.#next < this.#documents.length; this.#next++) {
      const document = this.#documents[this.#next];
      if (document !== undefined) {
        if (batch.count >= maxDocuments || !addTo(batch, document.bytes, document.start, undefined)) {
          return false;
        }
      }
    }
    return true;
  }
}

export function encodeDocument(document: Document): DocumentRef {
  return { bytes: Buffer.from(serialize(document, { ignoreUndefined: true })), start: 0 };
}

/** A copy that outlives writes to the collection. */
export function copyDocument({ bytes, start }: DocumentRef): DocumentRef {
  return { bytes: Buffer.from(bytes.subarray(start, start + readInt32(bytes, start))), start: 0 };
}

const startOfOrder: Bound = { rank: 0, value: null, side: -1 };
const endOfOrder: Bound = { rank: 255, value: null, side: 1 };

function addTo(batch: Batch, bytes: Buffer, start: number, project: Projection | undefined): boolean {
  if (project === undefined) {
    return batch.add(bytes, start, readInt32(bytes, start));
  }
  const projected = project(bytes, start);
  return batch.add(projected, 0, projected.length);
}

function copyId({ bytes, start }: DocumentRef): RawValue {
  const type = bytes[start + idTypeOffset] ?? bsonTypes.null;
  const valueStart = start + idValueOffset;
  const copy = Buffer.from(bytes.subarray(valueStart, findValueEnd(type, bytes, valueStart)));
  return { type, bytes: copy, start: 0, end: copy.length };
}
