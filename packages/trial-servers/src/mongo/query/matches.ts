/** Applies a filter to a collection: counts, lists, or walks what matches. */
import type { TextOrder } from '../../../../../src/bson/match/compare.ts';
import type { Collection, DocumentRef } from '../storage/collection.ts';
import type { Address } from '../storage/document-heap.ts';
import { matchesDocument } from '../../../../../src/bson/match/filter.ts';
import type { Filter } from '../../../../../src/bson/match/filter.ts';
import { allIds } from '../../../../../src/bson/match/id-bounds.ts';

/**
 * The filter for a collection whose index has its texts in `indexOrder`: where that is not the order of the filter, the index
 * does not help to find them.
 */
export function alongIndex(filter: Filter, order: TextOrder, indexOrder: TextOrder): Filter {
  if (order === indexOrder) return filter;
  return { idIntervals: allIds, test: (bytes, start) => matchesDocument(filter, bytes, start) };
}

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
