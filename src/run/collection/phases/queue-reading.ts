/** Reads the ranges of a queue, and waits until the workers have committed what was read. */

import { SourceError } from '../../../common/errors.ts';
import type { RangeQueue } from '../../../source/reading/range-queue.ts';
import { readRanges, type ReadersOptions } from '../../../source/reading/readers.ts';

export interface QueueReadingOptions extends ReadersOptions {
  readonly signal: AbortSignal;
  /** Resolves when all batches are acked. */
  drain(): Promise<void>;
}

interface SettlingQueue extends RangeQueue {
  /** Resolves when the ledger knows which ranges are read. */
  settle(): Promise<void>;
}

export async function readQueue(queue: SettlingQueue, options: QueueReadingOptions): Promise<void> {
  try {
    await readRanges(queue, options);
  } catch (error) {
    // The pages before the error are on their way to Postgres. A resumed run need not read them again.
    if (error instanceof SourceError || options.signal.aborted) await options.drain().catch(() => undefined);
    await queue.settle().catch(() => undefined);
    throw error;
  }
  await options.drain();
  await queue.settle();
}
