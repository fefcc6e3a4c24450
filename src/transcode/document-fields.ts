/**
 * Finds out, in one walk over a document, where the value of each column is and which fields have no column.
 */

import type { Plan } from './plan.ts';
import { type BsonBytes, ElementCursor, type ElementPosition } from '../bson/cursor.ts';
import { ColumnSlot } from './column-slot.ts';
import { DocumentError } from '../bson/document-error.ts';
import type { ExtraReason } from './extra-counter.ts';
import { type FieldName, FieldNames } from './field-names.ts';
import { NestedFields } from './nested-fields.ts';

/**
 * A field of the current document that goes to the extra column, or nowhere. Made once, and used again for other
 * documents.
 */
export interface ExtraField extends ElementPosition {
  /** Null if it is not one of the names that are remembered. */
  name: string | null;
  /** The key in the extra column as JSON, if it is not the name as the document has it. */
  key: Uint8Array | null;
  reason: ExtraReason;
  type: number;
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
}

/** What is known of a name. */
interface NameState {
  /** Its column, if it has one. */
  slot: ColumnSlot | null;
  /** The columns of what is inside of it. */
  nested: NestedFields | null;
  /** It has no column, and does not go to the extra column either. */
  isDropped: boolean;
  /** The last document that had it in its extra column. */
  extraDocument: number;
}

function createState(): NameState {
  return { slot: null, nested: null, isDropped: false, extraDocument: 0 };
}

/**
 * So many names that the plan does not know are told apart; where a collection has more, they are data rather
 * than a schema.
 */
const maxUnplannedNames = 1024;

/** A longer name is not remembered: MongoDB allows names of megabytes. */
const maxUnplannedNameBytes = 255;

/** A document with more extra fields is an outlier, whose memory is given back. */
const maxKeptExtras = 4096;

export type FieldsOfPlan = Pick<Plan, 'columns' | 'dropped' | 'keepsWhole' | 'children'>;

export class DocumentFields {
  /** In the plan's order. */
  readonly slots: readonly ColumnSlot[];
  /** Where the current document has the arrays of the child tables, in the plan's order. */
  readonly childSlots: readonly ColumnSlot[];
  /** The first `extraCount` of these belong to the current document. */
  extras: ExtraField[] = [];
  extraCount = 0;
  /** How many of these are not written anywhere. */
  droppedCount = 0;
  /** The current document's number, counted from 1. */
  document = 0;

  readonly #names: FieldNames<NameState>;
  /** By the names that the plan gives, and those under which nested values go to the extra column. */
  readonly #planned: ReadonlyMap<string, NameState>;
  readonly #cursor = new ElementCursor();
  /** Comes before the first field of each document. */
  readonly #head: FieldName<NameState>;
  /** What has no column is in the extra column anyway, and is neither listed nor counted. */
  readonly #keepsWhole: boolean;
  #unplannedNames = 0;
  /** The names in the current document's extra column that are not remembered. */
  readonly #otherNames = new Set<string>();

  constructor({ columns, dropped = [], keepsWhole, children = [] }: FieldsOfPlan) {
    this.#keepsWhole = keepsWhole === true;
    this.slots = columns.map((column) => new ColumnSlot(column));
    this.childSlots = children.map(
      ({ field, path = [], plan }) => new ColumnSlot({ field, path, column: plan.table, type: 'json' }),
    );
    this.#planned = planNames([...this.slots, ...this.childSlots], dropped);
    this.#names = new FieldNames(this.#planned.size + maxUnplannedNames);
    this.#head = new FieldNames<NameState>(1).add('', createState());
    this.#addPlannedNames();
  }

  /** Keeps names of earlier batches from taking the place of names to come, once there is no place left. */
  startBatch(): void {
    if (this.#unplannedNames < maxUnplannedNames) return;
    this.#names.clear();
    this.#unplannedNames = 0;
    this.#addPlannedNames();
  }

  /**
   * Goes through the top-level fields of the document from `start` to before `end`. Throws a BsonError if it
   * is corrupt, and a DocumentError if its extra column would have a field twice.
   */
  locate(source: BsonBytes, start: number, end: number): void {
    const cursor = this.#cursor;
    const document = ++this.document;
    this.extraCount = 0;
    this.droppedCount = 0;
    if (this.#otherNames.size > 0) this.#otherNames.clear();
    if (this.extras.length > maxKeptExtras) this.extras = [];
    let previous = this.#head;
    cursor.open(source.view, start, end);
    while (cursor.next(previous.next)) {
      const name = cursor.isGuessed ? previous.next : this.#identify(source);
      if (name === null) {
        this.#addOther(source);
        continue;
      }
      previous.next = name;
      previous = name;
      const { slot, nested } = name.value;
      if (nested !== null) {
        nested.locate(source, cursor.type, cursor.valueStart, cursor.valueEnd, document);
      }
      if (slot !== null && slot.document !== document) {
        slot.place(cursor, document);
      } else if (name.value.isDropped) {
        this.#addExtra(name.text, 'dropped', cursor);
        this.droppedCount++;
      } else {
        // jsonb would keep one of the two, and say nothing.
        if (this.#keepsWhole && slot !== null) throw duplicateError(name.text);
        this.#markExtra(name.value, name.text);
        this.#addExtra(name.text, slot === null ? 'no_column' : 'duplicate_field', cursor);
      }
    }
  }

  /**
   * Sends a value that its column does not take, or its row, to the extra column. Throws a DocumentError if the field
   * already exists.
   */
  moveToExtra(slot: ColumnSlot, reason: ExtraReason = 'does_not_fit'): void {
    const state = this.#planned.get(slot.name);
    if (state !== undefined) this.#markExtra(state, slot.name);
    this.#addExtra(slot.name, reason, slot, slot.key);
  }

  #addPlannedNames(): void {
    const added = new Map(Array.from(this.#planned, ([text, state]) => [text, this.#names.add(text, state)]));
    let previous = this.#head;
    for (const slot of [...this.slots, ...this.childSlots]) {
      const name = added.get(slot.name);
      if (name === undefined || slot.path.length > 0) continue;
      previous.next = name;
      previous = name;
    }
  }

  /** The name at the cursor, which is remembered from now on if there is room. */
  #identify({ bytes, view }: BsonBytes): FieldName<NameState> | null {
    const { nameStart, nameEnd } = this.#cursor;
    const known = this.#names.find(view, nameStart, nameEnd);
    if (known !== null) return known;
    if (this.#unplannedNames >= maxUnplannedNames || nameEnd - nameStart > maxUnplannedNameBytes) return null;
    const text = bytes.toString('utf8', nameStart, nameEnd);
    // A name that is not UTF-8 would be remembered as another one than it is; its document becomes a dead
    // letter anyway.
    if (text.includes('\ufffd')) return null;
    this.#unplannedNames++;
    return this.#names.add(text, createState());
  }

  #addOther({ bytes }: BsonBytes): void {
    const { nameStart, nameEnd } = this.#cursor;
    // Latin-1 tells any two names apart, even such as are not UTF-8.
    const name = bytes.toString('latin1', nameStart, nameEnd);
    if (this.#otherNames.has(name)) throw duplicateError(bytes.toString('utf8', nameStart, nameEnd));
    this.#otherNames.add(name);
    this.#addExtra(null, 'no_column', this.#cursor);
  }

  #markExtra(state: NameState, text: string): void {
    if (state.extraDocument === this.document) throw duplicateError(text);
    state.extraDocument = this.document;
  }

  #addExtra(
    name: string | null,
    reason: ExtraReason,
    at: ElementPosition,
    key: Uint8Array | null = null,
  ): void {
    if (this.#keepsWhole && reason === 'no_column') return;
    const { type, nameStart, nameEnd, valueStart, valueEnd } = at;
    const extra = this.extras[this.extraCount];
    if (extra === undefined) {
      this.extras.push({ name, key, reason, type, nameStart, nameEnd, valueStart, valueEnd });
    } else {
      extra.name = name;
      extra.key = key;
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

/** What the plan says of each name. Throws a RangeError if it has two columns for one value. */
function planNames(slots: readonly ColumnSlot[], dropped: readonly string[]): Map<string, NameState> {
  const names = slots.map(({ plan, path }) => JSON.stringify([plan.field, ...path]));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new RangeError(`the plan has two columns for ${twice}`);

  const states = new Map<string, NameState>();
  const stateOf = (name: string): NameState => {
    const known = states.get(name) ?? createState();
    states.set(name, known);
    return known;
  };
  const nested = slots.filter(({ path }) => path.length > 0);
  for (const slot of slots) {
    const state = stateOf(slot.name);
    if (slot.path.length === 0) state.slot = slot;
  }
  for (const field of new Set(nested.map(({ plan }) => plan.field))) {
    stateOf(field).nested = new NestedFields(
      nested.filter(({ plan }) => plan.field === field),
      0,
    );
  }
  for (const name of dropped) {
    const state = stateOf(name);
    state.isDropped = state.slot === null;
  }
  return states;
}

/** Names can be megabytes long; what people are told of one is not. */
const maxShownName = 100;

function duplicateError(name: string): DocumentError {
  const shown = name.length > maxShownName ? `${name.slice(0, maxShownName)}…` : name;
  return new DocumentError(
    'duplicate_extra',
    `the field ${JSON.stringify(shown)} would be twice in the extra column`,
  );
}
