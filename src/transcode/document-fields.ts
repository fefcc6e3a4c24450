/**
 * Finds out, in one walk over a document, where the value of each column is and which fields have no column.
 */

import type { PlanColumn } from '../plan/plan.ts';
import { type BsonBytes, ElementCursor } from './bson.ts';
import { DocumentError } from './document-error.ts';
import type { ExtraReason } from './extra-counter.ts';
import { type FieldName, FieldNames } from './field-names.ts';

/** A column of the plan, and where the current document has its value. */
export interface ColumnSlot {
  readonly plan: PlanColumn;
  /** The document that has the field; another number than the current one's means that it lacks the field. */
  document: number;
  type: number;
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
}

/**
 * A field of the current document that goes to the extra column. Made once, and used again for other
 * documents.
 */
export interface ExtraField {
  /** Null if it is not one of the names that are remembered. */
  name: string | null;
  reason: ExtraReason;
  type: number;
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
}

/**
 * What is known of a name: its column, if it has one, and the last document that had it in its extra column.
 */
interface NameState {
  readonly slot: ColumnSlot | null;
  extraDocument: number;
}

/**
 * So many names that the plan does not know are told apart; where a collection has more, they are data rather
 * than a schema.
 */
const MAX_UNPLANNED_NAMES = 1024;

/** A longer name is not remembered: MongoDB allows names of megabytes. */
const MAX_UNPLANNED_NAME_BYTES = 255;

/** A document with more extra fields is an outlier, whose memory is given back. */
const MAX_KEPT_EXTRAS = 4096;

export class DocumentFields {
  /** In the plan's order. */
  readonly slots: readonly ColumnSlot[];
  /** The first `extraCount` of these belong to the current document. */
  extras: ExtraField[] = [];
  extraCount = 0;
  /** The current document's number, counted from 1. */
  document = 0;

  private readonly names: FieldNames<NameState>;
  private readonly cursor = new ElementCursor();
  /** Comes before the first field of each document. */
  private readonly head: FieldName<NameState>;
  /** What has no column is in the extra column anyway, and is neither listed nor counted. */
  private readonly keepsWhole: boolean;
  private unplannedNames = 0;
  /** The names in the current document's extra column that are not remembered. */
  private readonly otherNames = new Set<string>();

  constructor(columns: readonly PlanColumn[], keepsWhole = false) {
    this.keepsWhole = keepsWhole;
    const nowhere = { document: 0, type: 0, nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: 0 };
    this.slots = columns.map((plan) => ({ plan, ...nowhere }));
    this.names = new FieldNames(columns.length + MAX_UNPLANNED_NAMES);
    this.head = new FieldNames<NameState>(1).add('', { slot: null, extraDocument: 0 });
    this.addPlannedNames();
  }

  /** Keeps names of earlier batches from taking the place of names to come, once there is no place left. */
  startBatch(): void {
    if (this.unplannedNames < MAX_UNPLANNED_NAMES) return;
    this.names.clear();
    this.unplannedNames = 0;
    this.addPlannedNames();
  }

  /**
   * Goes through the top-level fields of the document from `start` to before `end`. Throws a BsonError if it
   * is corrupt, and a DocumentError if its extra column would have a field twice.
   */
  locate(source: BsonBytes, start: number, end: number): void {
    const { cursor } = this;
    const document = ++this.document;
    this.extraCount = 0;
    if (this.otherNames.size > 0) this.otherNames.clear();
    if (this.extras.length > MAX_KEPT_EXTRAS) this.extras = [];
    let previous = this.head;
    cursor.open(source.view, start, end);
    while (cursor.next(previous.next)) {
      const name = cursor.isGuessed ? previous.next : this.identify(source);
      if (name === null) {
        this.addOther(source);
        continue;
      }
      previous.next = name;
      previous = name;
      const { slot } = name.value;
      if (slot !== null && slot.document !== document) {
        slot.document = document;
        slot.type = cursor.type;
        slot.nameStart = cursor.nameStart;
        slot.nameEnd = cursor.nameEnd;
        slot.valueStart = cursor.valueStart;
        slot.valueEnd = cursor.valueEnd;
      } else {
        // jsonb would keep one of the two, and say nothing.
        if (this.keepsWhole && slot !== null) throw duplicateError(name.text);
        this.markExtra(name);
        this.addExtra(name.text, slot === null ? 'no_column' : 'duplicate_field', cursor);
      }
    }
  }

  /**
   * Sends a value that its column does not take to the extra column. Throws a DocumentError if the field is
   * there already.
   */
  moveToExtra({ view }: BsonBytes, slot: ColumnSlot): void {
    const name = this.names.find(view, slot.nameStart, slot.nameEnd);
    if (name !== null) this.markExtra(name);
    this.addExtra(slot.plan.field, 'does_not_fit', slot);
  }

  private addPlannedNames(): void {
    let previous = this.head;
    for (const slot of this.slots) {
      previous.next = this.names.add(slot.plan.field, { slot, extraDocument: 0 });
      previous = previous.next;
    }
  }

  /** The name at the cursor, which is remembered from now on if there is room. */
  private identify({ bytes, view }: BsonBytes): FieldName<NameState> | null {
    const { nameStart, nameEnd } = this.cursor;
    const known = this.names.find(view, nameStart, nameEnd);
    if (known !== null) return known;
    if (this.unplannedNames >= MAX_UNPLANNED_NAMES || nameEnd - nameStart > MAX_UNPLANNED_NAME_BYTES)
      return null;
    const text = bytes.toString('utf8', nameStart, nameEnd);
    // A name that is not UTF-8 would be remembered as another one than it is; its document becomes a dead
    // letter anyway.
    if (text.includes('\ufffd')) return null;
    this.unplannedNames++;
    return this.names.add(text, { slot: null, extraDocument: 0 });
  }

  private addOther({ bytes }: BsonBytes): void {
    const { nameStart, nameEnd } = this.cursor;
    // Latin-1 tells any two names apart, even such as are not UTF-8.
    const name = bytes.toString('latin1', nameStart, nameEnd);
    if (this.otherNames.has(name)) throw duplicateError(bytes.toString('utf8', nameStart, nameEnd));
    this.otherNames.add(name);
    this.addExtra(null, 'no_column', this.cursor);
  }

  private markExtra(name: FieldName<NameState>): void {
    if (name.value.extraDocument === this.document) throw duplicateError(name.text);
    name.value.extraDocument = this.document;
  }

  private addExtra(name: string | null, reason: ExtraReason, at: Omit<ExtraField, 'name' | 'reason'>): void {
    if (this.keepsWhole && reason === 'no_column') return;
    const { type, nameStart, nameEnd, valueStart, valueEnd } = at;
    const extra = this.extras[this.extraCount];
    if (extra === undefined) {
      this.extras.push({ name, reason, type, nameStart, nameEnd, valueStart, valueEnd });
    } else {
      extra.name = name;
      extra.reason = reason;
      extra.type = type;
      extra.nameStart = nameStart;
      extra.nameEnd = nameEnd;
      extra.valueStart = valueStart;
      extra.valueEnd = valueEnd;
    }
    this.extraCount++;
  }
}

/** Names can be megabytes long; what people are told of one is not. */
const MAX_SHOWN_NAME = 100;

function duplicateError(name: string): DocumentError {
  const shown = name.length > MAX_SHOWN_NAME ? `${name.slice(0, MAX_SHOWN_NAME)}…` : name;
  return new DocumentError(
    'duplicate_extra',
    `the field ${JSON.stringify(shown)} would be twice in the extra column`,
  );
}
