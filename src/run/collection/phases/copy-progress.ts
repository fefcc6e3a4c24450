/** Counts what the workers have committed of one copy, and reports it as progress. */

import type { Ack } from '../../../observe/ack.ts';
import type { RunEvent } from '../../../observe/events.ts';
import type { RunListener } from '../../../observe/run-listener.ts';
import type { Batch } from '../../../source/page.ts';
import type { Supervisor } from '../../../workers/supervisor/supervisor.ts';
import { reportProgress } from '../../workforce.ts';

/** Committed, by earlier processes too. */
interface CopyCounts {
  readonly documentCount: number;
  readonly bytes: number;
  readonly deadLettered: number;
  readonly dropped: number;
}

export interface CopyProgressOptions {
  readonly source: string;
  readonly supervisor: Supervisor;
  readonly onEvent: (event: RunEvent) => void;
}

export class CopyProgress implements RunListener {
  readonly #options: CopyProgressOptions;
  readonly #committedBefore: number;
  #startedMs = performance.now();
  #documents: number;
  #bytes: number;
  #deadLetters: number;
  #dropped: number;
  #duplicates = 0;
  /** Approximate number of documents. */
  expectedDocuments = 0;

  constructor(committed: CopyCounts, options: CopyProgressOptions) {
    this.#options = options;
    this.#committedBefore = committed.documentCount;
    this.#documents = committed.documentCount;
    this.#bytes = committed.bytes;
    this.#deadLetters = committed.deadLettered;
    this.#dropped = committed.dropped;
  }

  get documents(): number {
    return this.#documents;
  }

  get deadLetters(): number {
    return this.#deadLetters;
  }

  /** Acks of batches that were already committed. */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** The time that progress events report begins now. */
  start(): void {
    this.#startedMs = performance.now();
  }

  /** Resets the counts to those of the ledger, after a crash of PostgreSQL has lost acked batches. */
  correct({ documentCount, deadLettered, dropped }: Omit<CopyCounts, 'bytes'>): void {
    this.#documents = documentCount;
    this.#deadLetters = deadLettered;
    this.#dropped = dropped;
  }

  onSettled(batch: Batch): void {
    this.#documents += batch.documentCount;
    this.#bytes += batch.bytes.byteLength;
    const { source, supervisor, onEvent } = this.#options;
    const progress = reportProgress(supervisor, {
      source,
      documents: this.#documents,
      bytes: this.#bytes,
      expectedDocuments: this.expectedDocuments,
      committedBefore: this.#committedBefore,
      deadLettered: this.#deadLetters,
      dropped: this.#dropped,
      elapsedMs: performance.now() - this.#startedMs,
    });
    onEvent(progress);
  }

  onAck(_workerId: string, ack: Ack): void {
    this.#deadLetters += ack.deadLettered;
    this.#dropped += ack.dropped;
    if (ack.isDuplicate) this.#duplicates++;
    const { retries: times } = ack;
    if (times === undefined) return;
    this.#options.onEvent({ kind: 'retried', server: 'postgres', times, reason: null });
  }
}
