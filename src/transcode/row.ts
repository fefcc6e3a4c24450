/**
 * Turns a batch of raw BSON documents into one binary COPY stream, and says what became of each document and
 * field.
 */

import type { Plan, PlanColumn } from '../plan/plan.ts';
import { BsonError, bsonTypes, nameOfType } from './bson-types.ts';
import { type BsonBytes, DocumentCursor, wrapBytes } from './bson.ts';
import { type DeadLetterReason, DocumentError } from './document-error.ts';
import { describeId } from './document-id.ts';
import { type ColumnSlot, DocumentFields } from './document-fields.ts';
import { createFieldEncoders } from './encode.ts';
import { ExtraCounter, type ExtraCount } from './extra-counter.ts';
import { beginJson, type EncodeField, endJson } from './field.ts';
import { JsonWriter } from './json.ts';
import { writeJsonString } from './json-string.ts';
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
  /** What went into the extra column. */
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
/** Stands where a field has its length. */
const COPY_NULL = -1;

interface RowColumn {
  readonly slot: ColumnSlot;
  readonly encoders: readonly EncodeField[];
  readonly isId: boolean;
  /**
   * Whether null becomes SQL NULL. It does not in an `_id`, which is the primary key: null is a value there,
   * or does not fit.
   */
  readonly isNullable: boolean;
}

class PlanRowEncoder implements RowEncoder {
  /** Null where the table has none. */
  private readonly extraColumn: string | null;
  private readonly fieldCount: number;
  private readonly keepsWhole: boolean;
  private readonly columns: readonly RowColumn[];
  private readonly fields: DocumentFields;
  private readonly maxJsonBytes: number;
  private readonly maxRowBytes: number;
  private readonly json: JsonWriter;
  private readonly idJson = new JsonWriter({ style: 'canonical', nul: 'reject', keepsOrder: true });
  private readonly output = new Output();
  private readonly counter = new ExtraCounter();
  /** The column being written, for the dead letter if that fails. */
  private currentColumn: string | null = null;

  constructor(plan: Plan, options: RowEncoderOptions) {
    this.extraColumn = plan.extraColumn;
    this.fieldCount = plan.columns.length + (plan.extraColumn === null ? 0 : 1);
    const hasExtra = plan.extraColumn !== null;
    this.keepsWhole = plan.keepsWhole === true;
    this.maxJsonBytes = options.maxJsonBytes ?? MAX_JSON_BYTES;
    this.maxRowBytes = options.maxRowBytes ?? MAX_ROW_BYTES;
    const { jsonStyle = 'relaxed', nul = 'reject' } = plan;
    this.json = new JsonWriter({ style: jsonStyle, nul, keepsOrder: false });
    this.fields = new DocumentFields(plan.columns, this.keepsWhole);
    const { maxJsonBytes } = this;
    this.columns = this.fields.slots.map((slot) => {
      const isId = slot.plan.field === '_id';
      // An `_id` that is changed could become another document's.
      const encoders = isId
        ? createFieldEncoders(slot.plan, { json: this.idJson, nul: 'reject', maxJsonBytes, hasExtra })
        : createFieldEncoders(slot.plan, { json: this.json, nul, maxJsonBytes, hasExtra });
      return { slot, encoders, isId, isNullable: !isId };
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
    if (this.extraColumn === null) this.requireNoExtra();
    else if (this.keepsWhole) this.writeWhole(source, start, end);
    else this.writeExtra(source);
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
      output.writeInt32(COPY_NULL);
      return;
    }
    if (slot.type === bsonTypes.null && column.isNullable) {
      output.writeInt32(COPY_NULL);
      return;
    }
    const encode = column.encoders[slot.type];
    if (encode?.(source, slot.valueStart, slot.valueEnd, output) === true) return;
    if (isId) {
      const problem = `an _id of type ${nameOfType(slot.type)} in a column of type ${describeType(slot.plan)}`;
      throw new DocumentError('id_type', problem, slot.valueStart);
    }
    if (this.extraColumn === null || slot.plan.target?.isNotNull === true) {
      const problem = `a value of type ${nameOfType(slot.type)} that does not fit ${describeType(slot.plan)}`;
      throw new DocumentError('does_not_fit', problem, slot.valueStart);
    }
    fields.moveToExtra(source, slot);
    output.writeInt32(COPY_NULL);
  }

  /** Without an extra column there is no place for what has no column. */
  private requireNoExtra(): void {
    const { fields } = this;
    this.currentColumn = null;
    for (let i = 0; i < fields.extraCount; i++) {
      const extra = fields.extras[i];
      if (extra === undefined) continue;
      const name = JSON.stringify(extra.name ?? '(a field with a long name)');
      throw new DocumentError(
        extra.reason === 'no_column' ? 'no_column' : 'duplicate_field',
        extra.reason === 'no_column' ? `no column for the field ${name}` : `the field ${name} is there twice`,
      );
    }
  }

  private writeWhole(source: BsonBytes, start: number, end: number): void {
    const { output } = this;
    this.currentColumn = this.extraColumn;
    const lengthAt = beginJson(output);
    this.json.writeValue(source, bsonTypes.object, start, end, output);
    endJson(output, lengthAt, this.maxJsonBytes);
  }

  private writeExtra(source: BsonBytes): void {
    const { fields, output, json } = this;
    this.currentColumn = this.extraColumn;
    if (fields.extraCount === 0) {
      output.writeInt32(COPY_NULL);
      return;
    }
    const lengthAt = beginJson(output);
    for (let i = 0; i < fields.extraCount; i++) {
      const extra = fields.extras[i];
      if (extra === undefined) break;
      output.writeByte(i === 0 ? 0x7b : 0x2c);
      writeJsonString(source, extra.nameStart, extra.nameEnd, output);
      output.writeByte(0x3a);
      json.writeValue(source, extra.type, extra.valueStart, extra.valueEnd, output);
    }
    output.writeByte(0x7d);
    endJson(output, lengthAt, this.maxJsonBytes);
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
