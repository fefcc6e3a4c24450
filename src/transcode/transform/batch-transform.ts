/**
 * Transforms the documents of a batch as the plan says: with the function of a module, then by changes of fields. The result is a
 * batch for the encoder, with the source document of each result.
 *
 * A document: read ──→ the function ──→ none, one or several ──→ their fields are changed ──→ encoded
 *                         ├── throws, or returns something invalid: a dead letter
 *                         └── does not end: terminated, and a dead letter
 * Invariants
 * - every input document is dropped, a dead letter, or the source of results;
 * - the event loop turns between slices, so that a worker sends heartbeats during long batches.
 */

import { setTimeout } from 'node:timers/promises';
import { BsonWriter } from '../../bson/bson-writer.ts';
import { DocumentCursor, wrapBytes, type BsonBytes } from '../../bson/cursor.ts';
import { type DeadLetterReason, DocumentError } from '../../bson/document-error.ts';
import { describeId } from '../../bson/json/describe-id.ts';
import { BsonError, NestingError } from '../../bson/types.ts';
import type { Plan } from '../plan.ts';
import type { DeadLetter } from '../row.ts';
import { DocumentFunction } from './document-function.ts';
import { FieldChanges } from './field-changes.ts';
import { endsWithin } from './time-limit.ts';
import { loadTransform } from './transform-file.ts';

export interface TransformedBatch {
  /** A BSON array of the results. Valid until the next batch. */
  readonly bytes: Buffer;
  /** For each result the position of its document in the batch; ascending. */
  readonly sources: readonly number[];
  /** Number of input documents. */
  readonly documentCount: number;
  readonly deadLetters: readonly DeadLetter[];
  /** Positions of dropped documents. */
  readonly dropped: readonly number[];
}

/** How long the event loop may be blocked. */
const sliceMs = 100;

/**
 * @param documentTimeoutMs how long the function may take for one document
 * @throws UsageError if the module is missing or has changed
 */
export async function createBatchTransform(plan: Plan, documentTimeoutMs: number): Promise<BatchTransform> {
  const { transform, changes } = plan;
  const call = transform === undefined ? null : new DocumentFunction(await loadTransform(transform), plan);
  return new BatchTransform(
    call,
    changes === undefined ? null : new FieldChanges(changes),
    documentTimeoutMs,
  );
}

/** The position of a document in the batch. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Counts and lengths of the results so far. */
interface Taken {
  readonly documents: number;
  readonly bytes: number;
  readonly results: number;
  readonly deadLetters: number;
  readonly dropped: number;
}

export class BatchTransform {
  readonly #call: DocumentFunction | null;
  readonly #changes: FieldChanges | null;
  readonly #documentTimeoutMs: number;
  readonly #results = new BsonWriter();
  readonly #called = new BsonWriter();
  #sources: number[] = [];
  #deadLetters: DeadLetter[] = [];
  #dropped: number[] = [];
  /** Replaced as a whole, last of all, since the code can be terminated at any point. */
  #taken: Taken = { documents: 0, bytes: 0, results: 0, deadLetters: 0, dropped: 0 };

  constructor(call: DocumentFunction | null, changes: FieldChanges | null, documentTimeoutMs: number) {
    this.#call = call;
    this.#changes = changes;
    this.#documentTimeoutMs = documentTimeoutMs;
  }

  /** @throws BsonError when the array is corrupt between documents */
  async transform(array: Uint8Array): Promise<TransformedBatch> {
    const source = wrapBytes(array);
    const documents = listSpans(array);
    this.#results.reset();
    const start = this.#results.beginDocument();
    this.#sources = [];
    this.#deadLetters = [];
    this.#dropped = [];
    this.#finishDocuments(0);
    if (this.#call === null) for (const document of documents) this.#take(source, document);
    else await this.#callAll(source, documents);
    this.#results.endDocument(start);
    return {
      bytes: this.#results.bytes.subarray(0, this.#results.position),
      sources: this.#sources,
      documentCount: documents.length,
      deadLetters: this.#deadLetters,
      dropped: this.#dropped,
    };
  }

  async #callAll(source: BsonBytes, documents: readonly Span[]): Promise<void> {
    const takeSlice = (): void => {
      const deadline = performance.now() + sliceMs;
      do {
        const document = documents[this.#taken.documents];
        if (document === undefined) return;
        this.#take(source, document);
      } while (performance.now() < deadline);
    };
    let ended = -1;
    for (;;) {
      const isInTime = this.#endsInTime(takeSlice);
      const { documents: next } = this.#taken;
      const document = documents[next];
      if (document === undefined) return;
      // The machine may have been suspended: the document is tried once more.
      if (!isInTime && next === ended) {
        const problem = `the transform did not end within ${this.#documentTimeoutMs / 1000} s`;
        this.#refuse(new DocumentError('transform_timeout', problem), source, document);
      }
      ended = isInTime ? -1 : next;
      // A timer runs after those that are due, such as the one that sends heartbeats.
      await setTimeout(0);
    }
  }

  /** The code can be terminated at any point of the work on a document. */
  #endsInTime(work: () => void): boolean {
    if (endsWithin(sliceMs + this.#documentTimeoutMs, work)) return true;
    this.#takeBack();
    return false;
  }

  /** Adds the results of the next document. */
  #take(source: BsonBytes, document: Span): void {
    const ordinal = this.#taken.documents;
    let count: number;
    try {
      count = this.#writeResults(source, document);
    } catch (error) {
      this.#takeBack();
      this.#refuse(error, source, document);
      return;
    }
    for (let index = 0; index < count; index++) this.#sources.push(ordinal);
    if (count === 0) this.#dropped.push(ordinal);
    this.#finishDocuments(ordinal + 1);
  }

  #finishDocuments(documents: number): void {
    this.#taken = {
      documents,
      bytes: this.#results.position,
      results: this.#sources.length,
      deadLetters: this.#deadLetters.length,
      dropped: this.#dropped.length,
    };
  }

  #takeBack(): void {
    this.#results.position = this.#taken.bytes;
    this.#sources.length = this.#taken.results;
    this.#deadLetters.length = this.#taken.deadLetters;
    this.#dropped.length = this.#taken.dropped;
  }

  #writeResults(source: BsonBytes, { start, end }: Span): number {
    if (this.#call === null) {
      this.#changes?.writeListed(source, start, end, this.#results);
      return 1;
    }
    if (this.#changes === null) return this.#call.write(source, start, end, this.#results);
    const called = this.#called;
    called.reset();
    const array = called.beginDocument();
    const count = this.#call.write(source, start, end, called);
    called.endDocument(array);
    const results = called.bytes.subarray(0, called.position);
    const bytes = wrapBytes(results);
    for (const cursor = new DocumentCursor(results); cursor.next();) {
      this.#changes.writeListed(bytes, cursor.start, cursor.end, this.#results);
    }
    return count;
  }

  #refuse(error: unknown, { bytes }: BsonBytes, { start, end }: Span): void {
    if (!(error instanceof DocumentError || error instanceof BsonError)) throw error;
    const ordinal = this.#taken.documents;
    const document = Buffer.from(bytes.subarray(start, end));
    const detail = error.offset < 0 ? error.problem : `${error.problem} at byte ${error.offset - start}`;
    const id = describeId(document);
    this.#deadLetters.push({ ordinal, document, id, reason: reasonOf(error), column: null, detail });
    this.#finishDocuments(ordinal + 1);
  }
}

function listSpans(array: Uint8Array): Span[] {
  const spans: Span[] = [];
  for (const cursor = new DocumentCursor(array); cursor.next();) {
    spans.push({ start: cursor.start, end: cursor.end });
  }
  return spans;
}

function reasonOf(error: DocumentError | BsonError): DeadLetterReason {
  if (error instanceof DocumentError) return error.reason;
  return error instanceof NestingError ? 'too_deep' : 'corrupt_bson';
}
