/** How large a page is: of so many documents at most as are asked for, and fewer where these are large. */

/**
 * About so many bytes. A larger batch is not loaded faster, and each worker holds two of them and each reader one; the
 * documents of a smaller one are too few to make up for its round trips (see docs/benchmarks.md).
 */
export const wantedPageBytes = 4 * 1024 * 1024;

/** Of as many as nobody has seen one of: what a wrong guess costs is little. */
const limitAtFirstSight = 1000;

/** Documents that were seen. */
export interface Seen {
  readonly documentCount: number;
  readonly bytes: number;
}

/** How many documents to ask for, judged by those that were seen before; at least one. */
export function chooseLimit(seen: Seen | null, itemsPerPage: number): number {
  if (seen === null || seen.documentCount === 0) return Math.min(itemsPerPage, limitAtFirstSight);
  const fitting = Math.floor((wantedPageBytes * seen.documentCount) / seen.bytes);
  return Math.max(1, Math.min(itemsPerPage, fitting));
}
