/** A run of the workers, for its owner. */

import type { Batch } from '../../source/page.ts';

export interface RunHandle {
  /** The approximate number of documents to come. */
  expect(documents: number): void;
  /** Accepts a batch; resolves once it is queued or dispatched, which bounds how far each reader runs ahead. */
  submit(batch: Batch): Promise<void>;
  /** Resolves when every batch submitted is settled. */
  drain(): Promise<void>;
  /** Ends the run. Batches that are not settled are dropped. */
  end(): void;
  /** Acks that came from a worker that did not hold the batch. */
  readonly unmatchedAcks: number;
}
