/** An estimate of the remaining work. */

import type { ActiveRun } from './active-run.ts';
import { wantedPageBytes } from '../../source/mongo/paging/page-size.ts';
import type { Batch } from '../../source/page.ts';

/** Work of small collections together that is worth a fork. */
const worthForkBytes = 16_000_000;

export class Workload {
  readonly #pageDocuments: number;
  #bytes = 0;
  /** Whether anything was submitted or is expected. */
  hasBegun = false;
  /** Whether more than a page is expected, or was submitted. */
  isLarge = false;

  /** @param pageDocuments maximum documents of a page */
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
    this.isLarge ||= isBeyond || documents > this.#pageDocuments || this.#bytes > worthForkBytes;
  }

  /** Approximate remaining bytes of these runs; Infinity if unknown. */
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
