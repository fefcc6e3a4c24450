/** How much there is to be done, as far as anybody can tell by now. */

import type { ActiveRun } from './active-run.ts';
import { wantedPageBytes } from '../../source/mongo/paging/page-size.ts';
import type { Batch } from '../../source/page.ts';

/** Together, small collections are as much work as a fork costs. */
const muchBytes = 16_000_000;

export class Workload {
  readonly #pageDocuments: number;
  #bytes = 0;
  /** Something was submitted, or is expected to be. */
  hasBegun = false;
  /** More than fits into a page is expected, or has come. */
  isLarge = false;

  /** @param pageDocuments as many as a page has at most */
  constructor(pageDocuments: number) {
    this.#pageDocuments = pageDocuments;
  }

  expect(documents: number): void {
    this.hasBegun = true;
    this.isLarge ||= documents > this.#pageDocuments;
  }

  submit(run: ActiveRun, { bytes: { byteLength }, documentCount }: Batch): void {
    this.hasBegun = true;
    this.#bytes += byteLength;
    run.submitted.bytes += byteLength;
    run.submitted.documents += documentCount;
    const { bytes, documents } = run.submitted;
    // One page may be a single document of 16 MB.
    const isBeyond = documents > documentCount && bytes > wantedPageBytes;
    this.isLarge ||= isBeyond || documents > this.#pageDocuments || this.#bytes > muchBytes;
  }

  /** About how many bytes are left of these runs; Infinity where nobody knows. */
  bytesLeft(runs: Iterable<ActiveRun>): number {
    let left = 0;
    for (const { submitted, expectedDocuments, settledDocuments } of runs) {
      const bytesPerDocument = submitted.documents === 0 ? Infinity : submitted.bytes / submitted.documents;
      const documents = expectedDocuments - settledDocuments;
      if (documents > 0) left += documents * bytesPerDocument;
    }
    return left;
  }
}
