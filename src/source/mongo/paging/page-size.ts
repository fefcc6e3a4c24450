/** Chooses the number of documents on a page: fewer if documents are large. */

/**
 * The target size. Larger batches are not loaded faster, and each worker holds two and each reader one. In smaller batches,
 * the round trips take too much of the time (see docs/benchmarks.md).
 */
export const wantedPageBytes = 4 * 1024 * 1024;

/** The limit while the size of documents is unknown. A wrong guess costs little. */
const firstLimit = 1000;

/** Documents seen before. */
export interface Seen {
  readonly documentCount: number;
  readonly bytes: number;
}

/** How many documents to request, judging by those seen before; at least one. */
export function chooseLimit(seen: Seen | null, itemsPerPage: number): number {
  if (seen === null || seen.documentCount === 0) return Math.min(itemsPerPage, firstLimit);
  const fitting = Math.floor((wantedPageBytes * seen.documentCount) / seen.bytes);
  return Math.max(1, Math.min(itemsPerPage, fitting));
}
