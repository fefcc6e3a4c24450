/**
 * Turns a batch of raw BSON documents into one binary COPY stream, and says what became of each document and
 * field.
 */

import { isIdColumn, type Plan, type PlanColumn } from '../plan/plan.ts';
import { BsonError, bsonTypes, nameOfType } from './bson-types.ts';
import { type BsonBytes, DocumentCursor, wrapBytes } from './bson.ts';
import type { ColumnSlot } from './column-slot.ts';
import { type DeadLetterReason, DocumentError } from './document-error.ts';
import { DocumentFields } from './document-fields.ts';
import { describeId } from './document-id.ts';
import { createFieldEncoders } from './encode.ts';
import { ExtraCounter, type ExtraCount } from './extra-counter.ts';
import { ExtraColumn, requireNoExtra } from './extra-column.ts';
import { COPY_NULL, type EncodeField } from './field.ts';
import { JsonWriter } from './json.ts';
import { Output } from './output.ts';

/** A document that could not become a row. */
export interface DeadLetter {
  /** Its position in the batch, from 0. */
  readonly ordinal: number;
  /** All of its bytes, as they were read; a copy. */
  readonly document: Buffer;
  /** Its `_id` in canonical Extended JSON, or null where it has none that can be read and stored. */
  readonly id: string | null;
  readonly reason: DeadLetterReason;
  /** The column that its value was for, or null when it is about the document as a whole. */
  readonly column: string | null;
  /** What was wrong, for people; offsets count from the document's first byte. */
  readonly detail: string;
}

export interface EncodedBatch {
  /**
   * A complete binary COPY stream with header and trailer. Valid until the next `encodeBatch`, which uses the
   * memory again.
   */
  readonly copy: Buffer;
  /** How many documents the batch has: one row or one dead letter for each. */
  readonly documents: number;
  /** How many rows the stream has. */
  readonly copied: number;
  readonly deadLetters: DeadLetter[];
  /** What went into the extra column, or was dropped. */
  readonly extra: ExtraCount[];
}

export interface RowEncoder {
  /**
   * Encodes the documents of a BSON array, such as the `firstBatch` of a find reply: its bytes and nothing
   * else. Throws a BsonError when the array is corrupt between documents, so that none can say where the next
   * begins; a document corrupt inside is a dead letter.
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
const MAX_JSON_BYTES = 2 ** 28 - 1;

/** What Postgres allocates for one row at most (MaxAllocSize in src/include/utils/memutils.h). */
const MAX_ROW_BYTES = 2 ** 30 - 1;

export function createRowEncoder(plan: Plan, options: RowEncoderOptions = {}): RowEncoder {
  return new PlanRowEncoder(plan, options);
}

/**
 * The signature, no flags, no extension: https://www.postgresql.org/docs/current/sql-copy.html (Binary
 * Format).
 */
const COPY_HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
/** Stands where a row has its number of fields. */
const COPY_TRAILER = -1;

interface RowColumn {
  readonly slot: ColumnSlot;
  readonly encoders: readonly EncodeField[];
  readonly isId: boolean;
  /** Whether SQL NULL is not allowed. */
  readonly isRequired: boolean;
}

class PlanRowEncoder implements RowEncoder {
  /** Null where the table has none. */
  private readonly extraColumn: string | null;
  private readonly fieldCount: number;
  private readonly columns: readonly RowColumn[];
  private readonly fields: DocumentFields;
  private readonly maxRowBytes: number;
  private readonly extra: ExtraColumn;
  private readonly idJson = new JsonWriter({ style: 'canonical', nul: 'reject', keepsOrder: true });
  private readonly output = new Output();
  private readonly counter = new ExtraCounter();
  /** The column being written, for the dead letter if that fails. */
  private currentColumn: string | null = null;

  constructor(plan: Plan, options: RowEncoderOptions) {
    this.extraColumn = plan.extraColumn;
    const hasExtra = plan.extraColumn !== null;
    this.fieldCount = plan.columns.length + (hasExtra ? 1 : 0);
    this.maxRowBytes = options.maxRowBytes ?? MAX_ROW_BYTES;
    const { jsonStyle = 'relaxed', nul = 'reject' } = plan;
    const json = new JsonWriter({ style: jsonStyle, nul, keepsOrder: false });
    this.fields = new DocumentFields(plan);
    const { maxJsonBytes = MAX_JSON_BYTES } = options;
    this.extra = new ExtraColumn(json, maxJsonBytes, plan.keepsWhole === true);
    this.columns = this.fields.slots.map((slot) => {
      const isId = isIdColumn(slot.plan);
      // An `_id` that is changed could become another document's.
      const encoders = isId
        ? createFieldEncoders(slot.plan, { json: this.idJson, nul: 'reject', maxJsonBytes, hasExtra })
        : createFieldEncoders(slot.plan, { json, nul, maxJsonBytes, hasExtra });
      return { slot, encoders, isId, isRequired: slot.plan.isRequired === true };
    });
  }

  encodeBatch(array: Uint8Array): EncodedBatch {
    const source = wrapBytes(array);
    const cursor = new DocumentCursor(array);
    const deadLetters: DeadLetter[] = [];
    const { output } = this;
    this.fields.startBatch();
    this.counter.reset();
    output.reset();
    output.writeBytes(COPY_HEADER);
    let documents = 0;
    for (; cursor.next(); documents++) {
      const rowStart = output.position;
      output.limit = rowStart + this.maxRowBytes;
      this.currentColumn = null;
      try {
        this.writeRow(source, cursor.start, cursor.end);
      } catch (error) {
        output.position = rowStart;
        deadLetters.push(this.toDeadLetter(error, documents, source, cursor.start, cursor.end));
      }
    }
    output.limit = Number.MAX_SAFE_INTEGER;
    output.writeInt16(COPY_TRAILER);
    const copy = output.bytes.subarray(0, output.position);
    return {
      copy,
      documents,
      copied: documents - deadLetters.length,
      deadLetters,
      extra: this.counter.toCounts(),
    };
  }

  private writeRow(source: BsonBytes, start: number, end: number): void {
    const { fields, output } = this;
    fields.locate(source, start, end);
    output.writeInt16(this.fieldCount);
    for (const column of this.columns) {
      this.writeColumn(source, column);
      output.checkLimit();
    }
    this.currentColumn = this.extraColumn;
    if (this.extraColumn === null) requireNoExtra(fields);
    else this.extra.write(source, fields, start, end, output);
    output.checkLimit();
    for (let i = 0; i < fields.extraCount; i++) {
      const extra = fields.extras[i];
      if (extra !== undefined) this.counter.add(extra.name, extra.type, extra.reason);
    }
  }

  private writeColumn(source: BsonBytes, column: RowColumn): void {
    const { fields, output } = this;
    const { slot, isId } = column;
    this.currentColumn = slot.plan.column;
    if (slot.document !== fields.document) {
      if (isId) throw new DocumentError('missing_id', 'the document has no _id');
      this.writeNull(column, 'is missing');
      return;
    }
    // In an `_id` null is a value, or does not fit.
    if (slot.type === bsonTypes.null && !isId) {
      this.writeNull(column, 'is null');
      return;
    }
    const encode = column.encoders[slot.type];
    if (encode?.(source, slot.valueStart, slot.valueEnd, output) === true) return;
    if (isId) {
      const problem = `an _id of type ${nameOfType(slot.type)} in a column of type ${describeType(slot.plan)}`;
      throw new DocumentError('id_type', problem, slot.valueStart);
    }
    // Nowhere to move it to, or nothing to leave behind.
    if (this.extraColumn === null || slot.plan.target?.isNotNull === true) {
      const problem = `a value of type ${nameOfType(slot.type)} that does not fit ${describeType(slot.plan)}`;
      throw new DocumentError('does_not_fit', problem, slot.valueStart);
    }
    this.writeNull(column, 'does not fit its column');
    fields.moveToExtra(slot);
  }

  /** @param what what is wrong with the value if there must be one */
  private writeNull({ slot, isRequired }: RowColumn, what: string): void {
    if (isRequired) {
      const field = JSON.stringify(slot.name);
      throw new DocumentError('required', `the required value of ${field} ${what}`);
    }
    this.output.writeInt32(COPY_NULL);
  }

  private toDeadLetter(
    error: unknown,
    ordinal: number,
    source: BsonBytes,
    start: number,
    end: number,
  ): DeadLetter {
    if (!(error instanceof DocumentError || error instanceof BsonError)) throw error;
    const document = Buffer.from(source.bytes.subarray(start, end));
    const reason = error instanceof DocumentError ? error.reason : 'corrupt_bson';
    const column = reason === 'duplicate_extra' ? this.extraColumn : this.currentColumn;
    const detail = error.offset < 0 ? error.problem : `${error.problem} at byte ${error.offset - start}`;
    return { ordinal, document, id: describeId(document), reason, column, detail };
  }
}

/** As people know it: Postgres's name in a table that was there before. */
function describeType({ target, type }: PlanColumn): string {
  return target?.name ?? type;
}
