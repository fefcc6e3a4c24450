/** The fields of a document, or of an embedded document that is flattened: those with columns, and the others. */

import { bsonTypes } from '../bson/types.ts';
import { type BsonBytes, ElementCursor, type ElementPosition } from '../bson/cursor.ts';
import type { ColumnSlot } from './column-slot.ts';
import { DocumentError } from '../bson/document-error.ts';
import type { ExtraReason } from './extra-counter.ts';
import { ExtraFields } from './extra-fields.ts';
import { type FieldName, FieldNames } from './field-names.ts';
import { createState, type LevelOptions, type NameState, planNames } from './planned-names.ts';

type State = NameState<FieldLevel>;

/** How many unplanned names are remembered. With more, they are data rather than a schema. */
export const maxUnplannedNames = 1024;

/** Longer names are not remembered: MongoDB allows names of megabytes. */
const maxUnplannedNameBytes = 255;

/** An empty BSON array has its length and the NUL that ends it. */
const emptyArrayBytes = 5;

export class FieldLevel {
  /** Fields of the current document for the extra column. */
  readonly extras = new ExtraFields();
  /** The number of the current document, from 1. For an inner level, that of the last document in which it is a document. */
  document = 0;
  /** Whether any value of the current document is in a column, a child table or the extra column. */
  hasTrace = false;
  /** The remembered names that are not in the plan; only ever cleared as a whole. */
  unplanned: string[] = [];

  /** The levels of flattened documents inside. */
  readonly levels: readonly FieldLevel[];
  /** The field name of this level in its parent. */
  readonly name: string;
  /** The same, as JSON. */
  readonly key: Uint8Array;

  readonly #depth: number;
  readonly #prefix: string;
  readonly #slotsHere: readonly ColumnSlot[];
  readonly #names: FieldNames<State>;
  /** By the names in the plan, and the names under which nested values go to the extra column. */
  readonly #planned: ReadonlyMap<string, State>;
  readonly #cursor = new ElementCursor();
  /** A sentinel before the first field of each document. */
  readonly #head: FieldName<State>;
  /** The extra column has the whole document, so that fields without a column are neither listed nor counted. */
  readonly #keepsWhole: boolean;
  /** Names in the current document's extra column that are not remembered. */
  readonly #otherNames = new Set<string>();

  constructor(options: LevelOptions) {
    const { slots, keepsWhole = false, names = [] } = options;
    this.#keepsWhole = keepsWhole;
    this.#depth = names.length;
    this.name = names.at(-1) ?? '';
    this.key = Buffer.from(JSON.stringify(this.name));
    this.#prefix = names.map((name) => `${name}.`).join('');
    this.#slotsHere = slots;
    this.#planned = planNames(options, (inside) => new FieldLevel(inside));
    this.levels = [...this.#planned.values()].flatMap(({ flat }) => flat ?? []);
    this.#names = new FieldNames(this.#planned.size + maxUnplannedNames);
    this.#head = new FieldNames<State>(1).add('', createState<FieldLevel>(''));
    this.#addPlannedNames();
  }

  /** Whether the extra column has fields of the current document, or of flattened documents in it. */
  get hasRest(): boolean {
    if (this.extras.areWritten) return true;
    return this.levels.length > 0 && this.levels.some((level) => this.has(level) && level.hasRest);
  }

  /** Whether the current document has this level inside. */
  has(level: FieldLevel): boolean {
    return level.document === this.document;
  }

  /** Clears the remembered names when there is no room, so that names of earlier batches do not block new ones. */
  startBatch(): void {
    for (const level of this.levels) level.startBatch();
    if (this.unplanned.length < maxUnplannedNames) return;
    this.#names.clear();
    this.unplanned = [];
    this.#addPlannedNames();
  }

  /**
   * Finds the fields from `start` to before `end`. Throws a BsonError if the document is corrupt, and a DocumentError if
   * its extra column would have a field twice.
   *
   * @param document its number, or that of the outer document
   */
  walk(source: BsonBytes, start: number, end: number, document: number): void {
    const cursor = this.#cursor;
    this.document = document;
    this.hasTrace = false;
    this.extras.begin();
    if (this.#otherNames.size > 0) this.#otherNames.clear();
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
      const { slot, nested, flat } = name.value;
      if (nested !== null) {
        nested.locate(source, cursor.type, cursor.valueStart, cursor.valueEnd, document);
      }
      if (flat !== null && this.#takesApart(flat, source, name.value)) continue;
      if (slot !== null && slot.document !== document) {
        slot.place(cursor, document);
        this.hasTrace ||= leavesTrace(slot);
      } else if (name.value.isDropped) {
        this.#addExtra(name.value.shown, 'dropped', cursor);
      } else {
        // jsonb would silently keep one of the two.
        if (this.#keepsWhole && slot !== null) throw duplicateError(name.value.shown);
        this.#markExtra(name.value);
        this.#addExtra(name.value.shown, this.#reasonFor(name.value), cursor);
      }
    }
  }

  /** Why the field at the cursor goes to the extra column. */
  #reasonFor({ slot, flat }: State): ExtraReason {
    if (slot !== null || flat?.document === this.document) return 'duplicate_field';
    // A value that is no document, where documents are flattened.
    return flat === null ? 'no_column' : 'does_not_fit';
  }

  /** @returns false if the value at the cursor is not for the inner level */
  #takesApart(flat: FieldLevel, source: BsonBytes, state: State): boolean {
    const cursor = this.#cursor;
    const { document } = this;
    if (cursor.type === bsonTypes.null && state.slot === null) return true;
    if (cursor.type !== bsonTypes.object || flat.document === document) return false;
    flat.walk(source, cursor.valueStart, cursor.valueEnd, document);
    this.hasTrace = true;
    if (!flat.hasTrace) {
      // No column would distinguish it from a missing one.
      this.#markExtra(state);
      this.#addExtra(state.shown, 'empty', cursor);
    }
    return true;
  }

  /**
   * Marks the rest of an inner level, which goes to the extra column as an object. Throws a DocumentError if the field already exists there.
   */
  markRest({ name }: FieldLevel): void {
    const state = this.#planned.get(name);
    if (state !== undefined) this.#markExtra(state);
  }

  /**
   * Sends a value that does not fit its column or its row to the extra column. Throws a DocumentError if the field
   * already exists.
   */
  moveToExtra(slot: ColumnSlot, reason: ExtraReason = 'does_not_fit'): void {
    const level = this.#planned.get(slot.names[this.#depth] ?? '')?.flat ?? null;
    if (level !== null && slot.names.length > this.#depth + 1) {
      level.moveToExtra(slot, reason);
      return;
    }
    const names = slot.names.slice(this.#depth);
    const state = this.#planned.get(names.join('.'));
    if (state !== undefined) this.#markExtra(state);
    // Other fields keep their names in the document.
    const key = names.length === 1 ? null : Buffer.from(JSON.stringify(names.join('.')));
    this.#addExtra(slot.name, reason, slot, key);
  }

  #addPlannedNames(): void {
    const added = new Map(Array.from(this.#planned, ([text, state]) => [text, this.#names.add(text, state)]));
    let previous = this.#head;
    for (const { names } of this.#slotsHere) {
      const name = added.get(names[this.#depth] ?? '');
      if (name === undefined || name === previous) continue;
      if (names.length > this.#depth + 1 && name.value.flat === null) continue;
      previous.next = name;
      previous = name;
    }
  }

  /** Looks up the name at the cursor, and remembers it if there is room. */
  #identify({ bytes, view }: BsonBytes): FieldName<State> | null {
    const { nameStart, nameEnd } = this.#cursor;
    const known = this.#names.find(view, nameStart, nameEnd);
    if (known !== null) return known;
    if (this.unplanned.length >= maxUnplannedNames || nameEnd - nameStart > maxUnplannedNameBytes) {
      return null;
    }
    const text = bytes.toString('utf8', nameStart, nameEnd);
    // A name that is not UTF-8 would be stored as a different name; its document becomes a dead letter anyway.
    if (text.includes('\ufffd')) return null;
    this.unplanned.push(text);
    return this.#names.add(text, createState<FieldLevel>(`${this.#prefix}${text}`));
  }

  #addOther({ bytes }: BsonBytes): void {
    const { nameStart, nameEnd } = this.#cursor;
    // Latin-1 distinguishes all names, even those that are not UTF-8.
    const name = bytes.toString('latin1', nameStart, nameEnd);
    if (this.#otherNames.has(name)) throw duplicateError(bytes.toString('utf8', nameStart, nameEnd));
    this.#otherNames.add(name);
    this.#addExtra(null, 'no_column', this.#cursor);
  }

  #markExtra(state: State): void {
    if (state.extraDocument === this.document) throw duplicateError(state.shown);
    state.extraDocument = this.document;
  }

  #addExtra(
    name: string | null,
    reason: ExtraReason,
    at: ElementPosition,
    key: Uint8Array | null = null,
  ): void {
    if (this.#keepsWhole && reason === 'no_column') return;
    this.hasTrace ||= reason !== 'dropped';
    this.extras.add(name, reason, at, key);
  }
}

function leavesTrace({ type, losesEmpty, valueStart, valueEnd }: ColumnSlot): boolean {
  if (type === bsonTypes.null) return false;
  return !(losesEmpty && type === bsonTypes.array && valueEnd - valueStart === emptyArrayBytes);
}

/** Names can be megabytes long; messages shorten them. */
const maxShownName = 100;

function duplicateError(name: string): DocumentError {
  const shown = name.length > maxShownName ? `${name.slice(0, maxShownName)}…` : name;
  return new DocumentError(
    'duplicate_extra',
    `the field ${JSON.stringify(shown)} would be twice in the extra column`,
  );
}
