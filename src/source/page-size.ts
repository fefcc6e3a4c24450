/** How large a page is: of so many documents at most as are asked for, and fewer where these are large. */

import type { Page } from './source.ts';

/**
 * About so many bytes. A larger batch is not loaded faster, and each worker holds two of them and each reader one; the
 * documents of a smaller one are too few to make up for its round trips (see docs/benchmarks.md).
 */
export const wantedPageBytes = 4 * 1024 * 1024;

/** How many documents to ask for, judged by the page before; at least one. */
export function chooseLimit({ count, documents }: Page, itemsPerPage: number): number {
  const fitting = Math.floor((wantedPageBytes * count) / documents.byteLength);
  return Math.max(1, Math.min(itemsPerPage, fitting));
}
