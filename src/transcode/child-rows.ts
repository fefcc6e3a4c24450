/** Writes the rows of a child table: one for each element of the array that a document has in the table's field. */

import type { ChildTable, Plan } from './plan.ts';
import { bsonTypes, nameOfType } from '../bson/types.ts';
import { type BsonBytes, ElementCursor } from '../bson/cursor.ts';
import type { ColumnSlot } from './column-slot.ts';
import { copyHeader, copyTrailer } from './copy/copy-format.ts';
import { DocumentError } from '../bson/document-error.ts';
import type { DocumentFields } from './document-fields.ts';
import type { ExtraCount } from './extra-counter.ts';
import { beginField } from './field.ts';
import { Output } from '../bson/output.ts';
import { elementName, type RowColumn, type RowLimits, RowWriter } from './row-writer.ts';

export interface EncodedChild {
  /** A complete binary COPY stream. Valid until the next batch is encoded. */
  readonly copy: Buffer;
  /** The number of rows. */
  readonly rowCount: number;
  /** For each row the position of its document in the batch, from 0. */
  readonly parents: readonly number[];
}

/** Context shared by the rows of all child tables of a document. */
export interface ChildContext {
  /** The main table's column for `_id`. */
  readonly id: RowColumn;
  readonly limits: RowLimits;
  /** Called with the table being written, for the dead letter if that fails. */
  readonly onWrite: (table: string) => void;
}

/** Bytes of an empty array. */
const emptyBytes = 5;

export class ChildRows {
  readonly name: string;
  readonly writer: RowWriter;
  /** Tables of arrays inside the elements. */
  readonly inner: readonly ChildRows[];
  /** The array in messages: `orders[].lines`. */
  readonly #shown: string;
  readonly #hasExtra: boolean;
  readonly #keepsEmpty: boolean;
  readonly #slot: ColumnSlot;
  readonly #context: ChildContext;
  readonly #output = new Output();
  readonly #cursor = new ElementCursor();
  #parents: number[] = [];
  /** Where the rows of the current document begin. */
  #start = 0;

  /**
   * @param slot the place of the array in the document, or in the element that contains it
   * @param keyLength how many columns of the table are its key
   * @param around the element that contains the array, in messages; empty for the document
   */
  constructor(
    { plan, keepsEmpty }: ChildTable,
    slot: ColumnSlot,
    context: ChildContext,
    keyLength = 2,
    around = '',
  ) {
    this.#hasExtra = plan.extraColumn !== null;
    this.#keepsEmpty = keepsEmpty === true;
    this.name = plan.table;
    this.#shown = `${around}${slot.name}`;
    this.#slot = slot;
    this.#context = context;
    this.writer = new RowWriter(plan, this.#output, context.limits, keyLength);
    this.inner = createInner(plan, this.writer, context, keyLength + 1, `${this.#shown}[].`);
  }

  /** Includes tables inside, in the order of `listDescendants`. */
  get all(): readonly ChildRows[] {
    return [this, ...this.inner.flatMap(({ all }) => all)];
  }

  startBatch(): void {
    this.writer.startBatch();
    this.#output.reset();
    this.#output.writeBytes(copyHeader);
    this.#parents = [];
  }

  /** To be called before each document. */
  begin(): void {
    this.#start = this.#output.position;
    this.writer.counter.begin();
  }

  /**
   * Sends a value other than an array to the extra column of the parent row, and also an empty array if the plan says so. Throws a DocumentError if there is no extra column.
   */
  sendOtherToExtra(fields: DocumentFields, hasExtra: boolean): void {
    const slot = this.#slot;
    if (slot.document !== fields.document || slot.type === bsonTypes.null) return;
    const isArray = slot.type === bsonTypes.array;
    if (isArray && !(this.#keepsEmpty && slot.valueEnd - slot.valueStart === emptyBytes)) return;
    if (!hasExtra) {
      const what = isArray ? 'an empty array' : `a value of type ${nameOfType(slot.type)}`;
      const problem = `${what} where ${this.#shown} must be an array`;
      throw new DocumentError('does_not_fit', problem, slot.valueStart);
    }
    fields.moveToExtra(slot, isArray ? 'empty' : 'does_not_fit');
  }

  /**
   * Throws a DocumentError or a BsonError if an element cannot be a row; `forget` then removes those before it.
   *
   * @param current the number of the document or element that has the array
   * @param parent the position of the document in the batch
   * @param places array positions of the containing elements, the outermost first
   */
  write(source: BsonBytes, current: number, parent: number, places: readonly number[] = []): void {
    const slot = this.#slot;
    const cursor = this.#cursor;
    const output = this.#output;
    if (slot.document !== current || slot.type !== bsonTypes.array) return;
    const { limits, onWrite } = this.#context;
    cursor.open(source.view, slot.valueStart, slot.valueEnd);
    for (let place = 0; cursor.next(null); place++) {
      output.limit = output.position + limits.maxRowBytes;
      onWrite(this.name);
      this.#writeElement(source, places, place);
      this.#parents.push(parent);
      if (this.inner.length === 0 || cursor.type !== bsonTypes.object) continue;
      const around = [...places, place];
      const { document } = this.writer.fields;
      for (const child of this.inner) child.write(source, document, parent, around);
    }
  }

  /** Removes the rows of a document that becomes a dead letter. */
  forget(parent: number): void {
    while (this.#parents.at(-1) === parent) this.#parents.pop();
    this.#output.position = this.#start;
    this.writer.counter.forget();
  }

  finish(): EncodedChild {
    const output = this.#output;
    const parents = this.#parents;
    output.limit = Number.MAX_SAFE_INTEGER;
    output.writeInt16(copyTrailer);
    return { copy: output.bytes.subarray(0, output.position), rowCount: parents.length, parents };
  }

  /** Returns the rows since the batch began, or since the last call. Valid until the next document. */
  takeRows(): { readonly rows: Buffer; readonly parents: readonly number[] } {
    const rows = this.#output.takeFrom(copyHeader.length);
    const parents = this.#parents;
    this.#parents = [];
    return { rows, parents };
  }

  /** Field names have the form `orders[].note`. */
  toCounts(): ExtraCount[] {
    return this.writer.counter.toCounts().map((count) => ({
      ...count,
      field: count.field === elementName ? `${this.#shown}[]` : `${this.#shown}[].${count.field}`,
    }));
  }

  #writeElement(source: BsonBytes, places: readonly number[], place: number): void {
    const cursor = this.#cursor;
    const output = this.#output;
    const writer = this.writer;
    const { id } = this.#context;
    output.writeInt16(writer.fieldCount);
    // It was encoded before, so that it fits.
    id.encoders[id.slot.type]?.(source, id.slot.valueStart, id.slot.valueEnd, output);
    for (const outer of places) writePlace(outer, output);
    writePlace(place, output);
    const { type, valueStart, valueEnd } = cursor;
    if (type === bsonTypes.object) {
      writer.writeColumns(source, valueStart, valueEnd);
      for (const child of this.inner) child.sendOtherToExtra(writer.fields, this.#hasExtra);
      writer.writeExtra(source, valueStart, valueEnd);
      return;
    }
    writer.writeBare(source, cursor, `an element of ${this.#shown}`);
    output.checkLimit();
  }
}

function writePlace(place: number, output: Output): void {
  const at = beginField(output, 4);
  output.view.setInt32(at, place);
}

/**
 * The rows of a plan's child tables. Throws a RangeError if the plan's fields do not have them.
 *
 * @param writer of the main table
 */
export function createInner(
  { children = [] }: Pick<Plan, 'children'>,
  writer: RowWriter,
  context: ChildContext,
  keyLength = 2,
  around = '',
): ChildRows[] {
  return children.map((child, index) => {
    const slot = writer.fields.childSlots[index];
    if (slot === undefined) throw new RangeError(`${child.field} was not looked for`);
    return new ChildRows(child, slot, context, keyLength, around);
  });
}
