/** Applies a filter to a collection: counts, lists, or walks what matches. */
import type { Collection, DocumentRef } from './collection.ts';
import type { Address } from './document-heap.ts';
import type { Filter } from '../../../../src/bson/match/filter.ts';

export function countMatches(documents: Collection, filter: Filter): number {
  if (filter.test === undefined) {
    return documents.count(filter.idIntervals);
  }
  return findMatches(documents, filter, Infinity).length;
}

/** The documents that match, in `_id` order; valid until the next insert or delete. */
export function* scanMatches(documents: Collection, filter: Filter): Generator<DocumentRef, void, undefined> {
  const { test } = filter;
  for (const document of documents.scan(filter.idIntervals)) {
    if (test?.(document.bytes, document.start) ?? true) {
      yield document;
    }
  }
}

/** The addresses of the first `wanted` documents that match. */
export function findMatches(documents: Collection, filter: Filter, wanted: number): Address[] {
  const found: Address[] = [];
  for (const address of documents.scanAddresses(filter.idIntervals)) {
    if (filter.test?.(documents.chunkOf(address), documents.offsetOf(address)) ?? true) {
      found.push(address);
      if (found.length >= wanted) {
        break;
      }
    }
  }
  return found;
}
