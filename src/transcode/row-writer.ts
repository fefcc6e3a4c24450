/** Writes rows: the fields of the plan's columns, and the extra column. */

import { isIdColumn, type Plan, type PlanColumn } from './plan.ts';
import { bsonTypes, nameOfType } from '../bson/types.ts';
import type { BsonBytes, ElementPosition } from '../bson/cursor.ts';
import type { ColumnSlot } from './column-slot.ts';
import { DocumentError } from '../bson/document-error.ts';
import { DocumentFields } from './document-fields.ts';
import { isRagged } from './encode/encode-array.ts';
import { createFieldEncoders } from './field-encoders.ts';
import { ExtraColumn, requireNoExtra } from './extra-column.ts';
import { ExtraCounter } from './extra-counter.ts';
import { beginJson, copyNull, type EncodeField, endJson } from './field.ts';
import type { FieldLevel } from './field-level.ts';
import { JsonWriter } from '../bson/json/json-writer.ts';
import { defaultNulPolicy } from '../bson/nul-policy.ts';
import type { Output } from '../bson/output.ts';
import { PageFit } from './page-fit.ts';

export interface RowLimits {
  /** Of one jsonb field. */
  readonly maxJsonBytes: number;
  readonly maxRowBytes: number;
}

export interface RowColumn {
  readonly slot: ColumnSlot;
  readonly encoders: readonly EncodeField[];
  readonly isId: boolean;
  /** Whether SQL NULL is not allowed. */
  readonly isRequired: boolean;
}

/** The name under which an element itself is counted; no field has it. */
export const elementName = '\0';

/** An entry in a B-tree has 2,704 bytes at most, and jsonb can be four times as long as its text. */
const maxSureKeyBytes = 640;

export class RowWriter {
  readonly fields: DocumentFields;
  readonly counter = new ExtraCounter();
  /** Number of fields of a row, including key columns before those of this writer. */
  readonly fieldCount: number;
  readonly columns: readonly RowColumn[];
  /** The column being written, for the dead letter if that fails. */
  currentColumn: string | null = null;
  /** Whether the batch has an `_id` that may be too long for the key, which is built after the load. */
  hasLongKey = false;
  /** Writes jsonb in the style of the plan. */
  readonly json: JsonWriter;

  /** Null if the table has none. */
  readonly #extraColumn: string | null;
  readonly #extra: ExtraColumn;
  readonly #maxJsonBytes: number;
  /** Null if every row fits, or if there is no extra column. */
  readonly #pageFit: PageFit | null;
  readonly #output: Output;

  /** @param leading number of key columns that are not fields of the document; 0 for the main table */
  constructor(plan: Plan, output: Output, { maxJsonBytes }: RowLimits, leading = 0) {
    this.#output = output;
    const columns = plan.columns.slice(leading);
    const hasId = leading === 0;
    this.#extraColumn = plan.extraColumn;
    const hasExtra = plan.extraColumn !== null;
    this.fieldCount = plan.columns.length + (hasExtra ? 1 : 0);
    const { jsonStyle = 'relaxed', nul = defaultNulPolicy } = plan;
    this.json = new JsonWriter({ style: jsonStyle, nul, keepsOrder: false });
    this.fields = new DocumentFields({ ...plan, columns });
    this.#maxJsonBytes = maxJsonBytes;
    this.#extra = new ExtraColumn(this.json, maxJsonBytes, plan.keepsWhole === true);
    const idJson = new JsonWriter({ style: 'canonical', nul: 'reject', keepsOrder: true });
    this.columns = this.fields.slots.map((slot) => {
      const isId = hasId && isIdColumn(slot.plan);
      // A changed `_id` could equal that of another document.
      const encoders = isId
        ? createFieldEncoders(slot.plan, { json: idJson, nul: 'reject', maxJsonBytes, hasExtra })
        : createFieldEncoders(slot.plan, { json: this.json, nul, maxJsonBytes, hasExtra });
      return { slot, encoders, isId, isRequired: slot.plan.isRequired === true };
    });
    const isMovable = this.columns.map(({ slot, isId, isRequired }) => {
      return !isId && !isRequired && slot.plan.target?.isNotNull !== true;
    });
    this.#pageFit = hasExtra ? PageFit.create(plan.columns.slice(0, leading), columns, isMovable) : null;
  }

  startBatch(): void {
    this.fields.startBatch();
    this.counter.reset();
    this.hasLongKey = false;
  }

  /** Finds the document's fields, and writes those that have columns. */
  writeColumns(source: BsonBytes, start: number, end: number): void {
    this.fields.locate(source, start, end);
    const rowStart = this.#output.position;
    for (const column of this.columns) {
      this.#writeColumn(source, column);
      this.#output.checkLimit();
    }
    if (this.#pageFit !== null) this.#moveRarest(this.#pageFit.fit(this.#output, rowStart));
  }

  /** Writes the extra column of the document passed to `writeColumns`. */
  writeExtra(source: BsonBytes, start: number, end: number): void {
    const { fields } = this;
    const output = this.#output;
    this.currentColumn = this.#extraColumn;
    if (this.#extraColumn === null) requireNoExtra(fields);
    else this.#extra.write(source, fields, start, end, output);
    output.checkLimit();
    this.#count(fields);
  }

  /**
   * Writes an element that is not a document: into the column for elements if it fits, else into the extra column.
   */
  writeBare(source: BsonBytes, element: ElementPosition, problemWith: string): void {
    const { type, valueStart, valueEnd } = element;
    const output = this.#output;
    let isKept = false;
    let isForColumn = false;
    for (const { slot, encoders, isRequired } of this.columns) {
      this.currentColumn = slot.plan.column;
      const isElement = slot.plan.isElement === true && type !== bsonTypes.null;
      const isWritten = isElement && encoders[type]?.(source, valueStart, valueEnd, output) === true;
      if (isRequired && !isWritten) {
        throw new DocumentError('required', `${problemWith} has no ${slot.name}`, valueStart);
      }
      if (!isWritten) output.writeInt32(copyNull);
      isKept ||= isWritten;
      isForColumn ||= isElement;
    }
    this.currentColumn = this.#extraColumn;
    if (this.#extraColumn === null) {
      if (isKept || type === bsonTypes.null) return;
      const problem = `${problemWith} of type ${nameOfType(type)}, for which there is no column`;
      throw new DocumentError('no_column', problem, valueStart);
    }
    if (isKept) {
      output.writeInt32(copyNull);
      return;
    }
    const lengthAt = beginJson(output);
    this.json.writeValue(source, type, valueStart, valueEnd, output);
    endJson(output, lengthAt, this.#maxJsonBytes);
    if (isForColumn) this.counter.add(elementName, type, 'does_not_fit');
  }

  #count(level: FieldLevel): void {
    level.extras.forEach(({ name, type, reason }) => {
      this.counter.add(name, type, reason);
    });
    for (const inside of level.levels) if (level.has(inside)) this.#count(inside);
  }

  #moveRarest(places: readonly number[]): void {
    for (const place of places) {
      const column = this.columns[place];
      if (column !== undefined) this.fields.moveToExtra(column.slot, 'row_too_wide');
    }
  }

  #writeColumn(source: BsonBytes, column: RowColumn): void {
    const { fields } = this;
    const output = this.#output;
    const { slot, isId } = column;
    this.currentColumn = slot.plan.column;
    if (slot.document !== fields.document) {
      if (isId) throw new DocumentError('missing_id', 'the document has no _id');
      this.#writeNull(column, 'is missing');
      return;
    }
    // In an `_id`, null is a value or does not fit.
    if (slot.type === bsonTypes.null && !isId) {
      this.#writeNull(column, 'is null');
      return;
    }
    const encode = column.encoders[slot.type];
    const fieldStart = output.position;
    if (encode?.(source, slot.valueStart, slot.valueEnd, output) === true) {
      if (isId && slot.plan.target === undefined) {
        this.hasLongKey ||= output.position - fieldStart > maxSureKeyBytes;
      }
      return;
    }
    if (isId) {
      const problem = `an _id of type ${nameOfType(slot.type)} in a column of type ${describeType(slot.plan)}`;
      throw new DocumentError('id_type', problem, slot.valueStart);
    }
    // There is no extra column, or NULL is not allowed in the column.
    if (this.#extraColumn === null || slot.plan.target?.isNotNull === true) {
      const problem = `${describeValue(source, slot)} that does not fit ${describeType(slot.plan)}`;
      throw new DocumentError('does_not_fit', problem, slot.valueStart);
    }
    this.#writeNull(column, 'does not fit its column');
    fields.moveToExtra(slot);
  }

  /** @param what the problem with the value if it is required */
  #writeNull({ slot, isRequired }: RowColumn, what: string): void {
    if (isRequired) {
      const field = JSON.stringify(slot.name);
      throw new DocumentError('required', `the required value of ${field} ${what}`);
    }
    this.#output.writeInt32(copyNull);
  }
}

function describeValue(source: BsonBytes, { plan, type, valueStart, valueEnd }: ColumnSlot): string {
  const { dimensions = 1 } = plan.target ?? {};
  const mayBeRagged = dimensions > 1 && type === bsonTypes.array;
  return mayBeRagged && isRagged(source, valueStart, valueEnd, dimensions)
    ? 'a ragged array'
    : `a value of type ${nameOfType(type)}`;
}

/** The type in messages: for an existing table, as Postgres shows it. */
function describeType({ target, type }: PlanColumn): string {
  return target?.name ?? type;
}
