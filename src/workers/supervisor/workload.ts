/** An estimate of the work: how much there is, and how much is left. */

import type { ActiveRun } from './active-run.ts';
import type { Batch } from '../../source/page.ts';

/** As many bytes as a worker transcodes in the time that it takes to start: less is not worth a fork. */
export const forkBytes = 16_000_000;

/** Assumed where it is unknown how large documents are. If they are smaller, a worker may be forked that is not needed. */
export const assumedDocumentBytes = 128;

export class Workload {
  #bytes = 0;
  /** Whether anything was submitted or is expected. */
  hasBegun = false;
  /** Whether it is worth a fork, by what is expected and what was submitted. */
  isLarge = false;

  /**
   * @param bytesPerDocument undefined if their size will be known before they come: until then only so many of them count that
   * they are worth a fork in any case
   */
  expect(documents: number, bytesPerDocument?: number): void {
    this.isLarge ||= documents * (bytesPerDocument ?? assumedDocumentBytes) > forkBytes;
    this.hasBegun ||= this.isLarge || bytesPerDocument !== undefined;
  }

  submit(run: ActiveRun, { bytes: { byteLength }, documentCount }: Batch): void {
    this.hasBegun = true;
    this.#bytes += byteLength;
    const { submitted, expectedDocuments } = run;
    submitted.bytes += byteLength;
    submitted.documents += documentCount;
    const ofRun =
      expectedDocuments === Infinity ? 0 : (submitted.bytes / submitted.documents) * expectedDocuments;
    this.isLarge ||= Math.max(this.#bytes, ofRun) > forkBytes;
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
