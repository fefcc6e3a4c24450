/**
 * Encodes a batch of raw BSON documents as one binary COPY stream, with dead letters and counts of extra fields.
 */

import type { Plan } from './plan.ts';
import { BsonError } from '../bson/types.ts';
import { type BsonBytes, DocumentCursor, wrapBytes } from '../bson/cursor.ts';
import { type DeadLetterReason, DocumentError } from '../bson/document-error.ts';
import { describeId } from '../bson/json/describe-id.ts';
import type { ExtraCount } from './extra-counter.ts';
import { type ChildRows, createInner, type EncodedChild } from './child-rows.ts';
import { copyHeader, copyTrailer } from './copy/copy-format.ts';
import { Output } from '../bson/output.ts';
import { type RowLimits, RowWriter } from './row-writer.ts';

/** A document that could not be encoded as a row. */
export interface DeadLetter {
  /** Its position in the batch, from 0. */
  readonly ordinal: number;
  /** A copy of its original bytes. */
  readonly document: Buffer;
  /** Its `_id` in canonical Extended JSON; null if it has none, or one that cannot be read or stored. */
  readonly id: string | null;
  readonly reason: DeadLetterReason;
  /** The column of the value; null if the whole document is at fault. */
  readonly column: string | null;
  /** The problem, for messages; offsets are from the document's first byte. */
  readonly detail: string;
}

export interface EncodedBatch {
  /**
   * A complete binary COPY stream with header and trailer. Valid until the next `encodeBatch`, which reuses the memory.
   */
  readonly copy: Buffer;
  /** Number of documents in the batch; each has one row or one dead letter. */
  readonly documentCount: number;
  /** Number of rows in the stream. */
  readonly rowCount: number;
  readonly deadLetters: DeadLetter[];
  /** Counts of values in the extra column, and of dropped ones. */
  readonly extra: ExtraCount[];
  /** The rows of each child table of the plan, in the order of `listDescendants`. */
  readonly children: readonly EncodedChild[];
  /** Whether an `_id` may be too long for an index entry of the primary key, which only Postgres can decide. */
  readonly hasLongKey: boolean;
}

export interface RowEncoder {
  /**
   * Encodes the documents of a BSON array, such as the `firstBatch` of a find reply: its bytes and nothing
   * else. Throws a BsonError when the array is corrupt between documents, so that the next one cannot be found; a document that is corrupt inside is a dead letter.
   */
  encodeBatch(array: Uint8Array): EncodedBatch;
}

export interface RowEncoderOptions {
  /** Of one jsonb field. */
  readonly maxJsonBytes?: number;
  readonly maxRowBytes?: number;
}

/**
 * Postgres counts the bytes inside a jsonb value in 28 bits (JENTRY_OFFLENMASK in src/include/utils/jsonb.h).
 */
const largestJsonBytes = 2 ** 28 - 1;

/** The most that Postgres allocates for one row (MaxAllocSize in src/include/utils/memutils.h). */
const largestRowBytes = 2 ** 30 - 1;

export function createRowEncoder(plan: Plan, options: RowEncoderOptions = {}): RowEncoder {
  return new PlanRowEncoder(plan, options);
}

/** Complete limits; the defaults are those of Postgres. */
export function limitsOf({ maxJsonBytes, maxRowBytes }: RowEncoderOptions): RowLimits {
  return {
    maxJsonBytes: maxJsonBytes ?? largestJsonBytes,
    maxRowBytes: maxRowBytes ?? largestRowBytes,
  };
}

/** Encodes a whole batch, or document by document: `begin`, `encodeDocument` for each, `finish`. */
export class PlanRowEncoder implements RowEncoder {
  readonly writer: RowWriter;
  /** In the order of `listDescendants`. */
  readonly children: readonly ChildRows[];
  /** The child tables of the main table. */
  readonly #inner: readonly ChildRows[];
  readonly #output = new Output();
  readonly #extraColumn: string | null;
  readonly #maxRowBytes: number;
  #deadLetters: DeadLetter[] = [];

  constructor(plan: Plan, options: RowEncoderOptions) {
    const limits = limitsOf(options);
    this.#extraColumn = plan.extraColumn;
    this.#maxRowBytes = limits.maxRowBytes;
    this.writer = new RowWriter(plan, this.#output, limits);
    const id = this.writer.columns.find(({ isId }) => isId);
    if (id === undefined && (plan.children ?? []).length > 0) {
      throw new RangeError('child tables without an _id');
    }
    const onWrite = (table: string): void => {
      this.writer.currentColumn = table;
    };
    this.#inner = id === undefined ? [] : createInner(plan, this.writer, { id, limits, onWrite });
    this.children = this.#inner.flatMap(({ all }) => all);
  }

  encodeBatch(array: Uint8Array): EncodedBatch {
    const source = wrapBytes(array);
    const cursor = new DocumentCursor(array);
    this.begin();
    let documentCount = 0;
    for (; cursor.next(); documentCount++) {
      this.encodeDocument(source, cursor.start, cursor.end, documentCount);
    }
    return this.finish(documentCount);
  }

  begin(): void {
    this.#deadLetters = [];
    this.writer.startBatch();
    for (const child of this.children) child.startBatch();
    this.#output.reset();
    this.#output.writeBytes(copyHeader);
  }

  /** Adds a row, or a dead letter. @param ordinal the document's position in the batch */
  encodeDocument(source: BsonBytes, start: number, end: number, ordinal: number): void {
    const { writer, children } = this;
    const output = this.#output;
    const rowStart = output.position;
    output.limit = rowStart + this.#maxRowBytes;
    writer.currentColumn = null;
    writer.counter.begin();
    for (const child of children) child.begin();
    try {
      this.#writeRow(source, start, end, ordinal);
    } catch (error) {
      output.position = rowStart;
      writer.counter.forget();
      for (const child of children) child.forget(ordinal);
      this.#deadLetters.push(this.#toDeadLetter(error, ordinal, source, start, end));
    }
  }

  finish(documentCount: number): EncodedBatch {
    const { writer, children } = this;
    const output = this.#output;
    const deadLetters = this.#deadLetters;
    output.limit = Number.MAX_SAFE_INTEGER;
    output.writeInt16(copyTrailer);
    const copy = output.bytes.subarray(0, output.position);
    return {
      copy,
      documentCount,
      rowCount: documentCount - deadLetters.length,
      deadLetters,
      extra: [...writer.counter.toCounts(), ...children.flatMap((child) => child.toCounts())],
      children: children.map((child) => child.finish()),
      hasLongKey: writer.hasLongKey,
    };
  }

  /** Returns the rows since `begin`, or since the last call. Valid until the next document. */
  takeRows(): Buffer {
    return this.#output.takeFrom(copyHeader.length);
  }

  #writeRow(source: BsonBytes, start: number, end: number, document: number): void {
    const { writer } = this;
    const children = this.#inner;
    const output = this.#output;
    output.writeInt16(writer.fieldCount);
    writer.writeColumns(source, start, end);
    for (const child of children) {
      writer.currentColumn = child.name;
      child.sendOtherToExtra(writer.fields, this.#extraColumn !== null);
    }
    writer.writeExtra(source, start, end);
    for (const child of children) {
      // The column to name in a dead letter.
      writer.currentColumn = child.name;
      child.write(source, writer.fields.document, document);
    }
  }

  #toDeadLetter(error: unknown, ordinal: number, source: BsonBytes, start: number, end: number): DeadLetter {
    if (!(error instanceof DocumentError || error instanceof BsonError)) throw error;
    const document = Buffer.from(source.bytes.subarray(start, end));
    const reason = error instanceof DocumentError ? error.reason : 'corrupt_bson';
    const column = reason === 'duplicate_extra' ? this.#extraColumn : this.writer.currentColumn;
    const detail = error.offset < 0 ? error.problem : `${error.problem} at byte ${error.offset - start}`;
    return { ordinal, document, id: describeId(document), reason, column, detail };
  }
}
