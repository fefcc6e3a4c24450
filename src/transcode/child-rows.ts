/** Writes the rows of a child table: one for each element of the array that a document has in the table's field. */

import type { ChildTable } from './plan.ts';
import { bsonTypes, nameOfType } from '../bson/types.ts';
import { type BsonBytes, ElementCursor } from '../bson/cursor.ts';
import type { ColumnSlot } from './column-slot.ts';
import { copyHeader, copyTrailer } from './copy/copy-format.ts';
import { DocumentError } from '../bson/document-error.ts';
import type { DocumentFields } from './document-fields.ts';
import type { ExtraCount } from './extra-counter.ts';
import { beginField, beginJson, copyNull, endJson } from './field.ts';
import { Output } from '../bson/output.ts';
import { type RowColumn, type RowLimits, RowWriter } from './row-writer.ts';

export interface EncodedChild {
  /** A complete binary COPY stream. Valid until the next batch is encoded. */
  readonly copy: Buffer;
  /** How many rows it has. */
  readonly rowCount: number;
  /** Of each row the document it is of: its position in the batch, from 0. */
  readonly parents: readonly number[];
}

/** The document's `_id` and the place come before the fields of the element. */
const leadingColumns = 2;

export class ChildRows {
  readonly name: string;
  readonly #hasExtra: boolean;
  readonly #slot: ColumnSlot;
  readonly #id: RowColumn;
  readonly #limits: RowLimits;
  readonly #output = new Output();
  readonly #writer: RowWriter;
  readonly #cursor = new ElementCursor();
  #parents: number[] = [];
  /** Where the rows of the current document begin. */
  #start = 0;

  /**
   * @param slot where the document has the array
   * @param id the document's own column for its `_id`
   */
  constructor({ plan }: ChildTable, slot: ColumnSlot, id: RowColumn, limits: RowLimits) {
    this.#hasExtra = plan.extraColumn !== null;
    this.name = plan.table;
    this.#slot = slot;
    this.#id = id;
    this.#limits = limits;
    this.#writer = new RowWriter(plan, this.#output, limits, leadingColumns);
  }

  startBatch(): void {
    this.#writer.startBatch();
    this.#output.reset();
    this.#output.writeBytes(copyHeader);
    this.#parents = [];
  }

  /** To be called before each document. */
  begin(): void {
    this.#start = this.#output.position;
    this.#writer.counter.begin();
  }

  /**
   * A value that is no array is none of ours, and is kept with the rest of its document. Throws a DocumentError if that
   * has no extra column.
   */
  sendOtherToExtra(fields: DocumentFields, hasExtra: boolean): void {
    const slot = this.#slot;
    if (slot.document !== fields.document) return;
    if (slot.type === bsonTypes.array || slot.type === bsonTypes.null) return;
    if (!hasExtra) {
      const problem = `a value of type ${nameOfType(slot.type)} where ${slot.name} is to be an array`;
      throw new DocumentError('does_not_fit', problem, slot.valueStart);
    }
    fields.moveToExtra(slot);
  }

  /**
   * Throws a DocumentError or a BsonError if an element cannot be a row; `forget` then takes back those before it.
   *
   * @param current the document's number, as its fields have it
   * @param parent its position in the batch
   */
  write(source: BsonBytes, current: number, parent: number): void {
    const slot = this.#slot;
    const cursor = this.#cursor;
    const output = this.#output;
    if (slot.document !== current || slot.type !== bsonTypes.array) return;
    cursor.open(source.view, slot.valueStart, slot.valueEnd);
    for (let place = 0; cursor.next(null); place++) {
      output.limit = output.position + this.#limits.maxRowBytes;
      this.#writeElement(source, place);
      this.#parents.push(parent);
    }
  }

  /** Takes back the rows of a document that becomes a dead letter. */
  forget(parent: number): void {
    while (this.#parents.at(-1) === parent) this.#parents.pop();
    this.#output.position = this.#start;
    this.#writer.counter.forget();
  }

  finish(): EncodedChild {
    const output = this.#output;
    const parents = this.#parents;
    output.limit = Number.MAX_SAFE_INTEGER;
    output.writeInt16(copyTrailer);
    return { copy: output.bytes.subarray(0, output.position), rowCount: parents.length, parents };
  }

  /** Named as people write it: `orders[].note`. */
  toCounts(): ExtraCount[] {
    return this.#writer.counter
      .toCounts()
      .map((count) => ({ ...count, field: `${this.#slot.name}[].${count.field}` }));
  }

  #writeElement(source: BsonBytes, place: number): void {
    const cursor = this.#cursor;
    const output = this.#output;
    const writer = this.#writer;
    const id = this.#id;
    output.writeInt16(writer.fieldCount);
    // It has been written once already, so that it fits.
    id.encoders[id.slot.type]?.(source, id.slot.valueStart, id.slot.valueEnd, output);
    const at = beginField(output, 4);
    output.view.setInt32(at, place);
    const { type, valueStart, valueEnd } = cursor;
    if (type === bsonTypes.object) {
      writer.writeColumns(source, valueStart, valueEnd);
      writer.writeExtra(source, valueStart, valueEnd);
      return;
    }
    // An element that has no fields is kept as it is.
    const required = writer.columns.find(({ isRequired }) => isRequired);
    if (required !== undefined) {
      throw new DocumentError(
        'required',
        `an element of ${this.#slot.name} has no ${required.slot.name}`,
        valueStart,
      );
    }
    if (!this.#hasExtra && type !== bsonTypes.null) {
      const problem = `an element of ${this.#slot.name} of type ${nameOfType(type)}, for which there is no column`;
      throw new DocumentError('no_column', problem, valueStart);
    }
    for (let left = writer.columns.length; left > 0; left--) output.writeInt32(copyNull);
    if (!this.#hasExtra) return;
    const lengthAt = beginJson(output);
    writer.json.writeValue(source, type, valueStart, valueEnd, output);
    endJson(output, lengthAt, this.#limits.maxJsonBytes);
    output.checkLimit();
  }
}
