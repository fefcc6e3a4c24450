/** The fields of one document, or of one embedded in it that is taken apart: which have columns, and which do not. */

import { bsonTypes } from '../bson/types.ts';
import { type BsonBytes, ElementCursor, type ElementPosition } from '../bson/cursor.ts';
import type { ColumnSlot } from './column-slot.ts';
import { DocumentError } from '../bson/document-error.ts';
import type { ExtraReason } from './extra-counter.ts';
import { ExtraFields } from './extra-fields.ts';
import { type FieldName, FieldNames } from './field-names.ts';
import { NestedFields } from './nested-fields.ts';

/** What is known of a name. */
interface NameState {
  /** The name with those that lead to it. */
  readonly shown: string;
  /** Its column, if it has one. */
  slot: ColumnSlot | null;
  /** The columns of what is inside of it. */
  nested: NestedFields | null;
  /** It is a document that is taken apart, wherever it is a document. */
  flat: FieldLevel | null;
  /** It has no column, and does not go to the extra column either. */
  isDropped: boolean;
  /** The last document that had it in its extra column. */
  extraDocument: number;
}

function createState(shown: string): NameState {
  return { shown, slot: null, nested: null, flat: null, isDropped: false, extraDocument: 0 };
}

/**
 * So many names that the plan does not know are told apart; where a collection has more, they are data rather
 * than a schema.
 */
export const maxUnplannedNames = 1024;

/** A longer name is not remembered: MongoDB allows names of megabytes. */
const maxUnplannedNameBytes = 255;

/** What a level has to find. */
export interface LevelOptions {
  /** Of this level and of those inside. */
  readonly slots: readonly ColumnSlot[];
  readonly dropped?: readonly string[] | undefined;
  readonly keepsWhole?: boolean;
  /** The documents inside that are taken apart, by the names that lead to them from the outermost one. */
  readonly flattened: readonly (readonly string[])[];
  /** The names that lead here; none for the outermost level. */
  readonly names?: readonly string[];
}

/** An empty BSON array has its length and the NUL that ends it. */
const emptyArrayBytes = 5;

export class FieldLevel {
  /** Of the current document. */
  readonly extras = new ExtraFields();
  /** The number of the current document, counted from 1; of a level inside, of the last one that has it as a document. */
  document = 0;
  /** Something of the current document is in a column, a child table or the extra column. */
  hasTrace = false;
  /** The names that the plan does not know and that are remembered; none is taken away before all are. */
  unplanned: string[] = [];

  /** The documents inside that are taken apart. */
  readonly levels: readonly FieldLevel[];
  /** What this level is called in the one around it. */
  readonly name: string;
  /** The same, as JSON. */
  readonly key: Uint8Array;

  readonly #depth: number;
  readonly #prefix: string;
  readonly #slotsHere: readonly ColumnSlot[];
  readonly #names: FieldNames<NameState>;
  /** By the names that the plan gives, and those under which nested values go to the extra column. */
  readonly #planned: ReadonlyMap<string, NameState>;
  readonly #cursor = new ElementCursor();
  /** Comes before the first field of each document. */
  readonly #head: FieldName<NameState>;
  /** What has no column is in the extra column anyway, and is neither listed nor counted. */
  readonly #keepsWhole: boolean;
  /** The names in the current document's extra column that are not remembered. */
  readonly #otherNames = new Set<string>();

  constructor({ slots, dropped = [], keepsWhole = false, flattened, names = [] }: LevelOptions) {
    this.#keepsWhole = keepsWhole;
    this.#depth = names.length;
    this.name = names.at(-1) ?? '';
    this.key = Buffer.from(JSON.stringify(this.name));
    this.#prefix = names.map((name) => `${name}.`).join('');
    this.#slotsHere = slots;
    requireDifferent(slots);
    const inside = flattened.filter(
      (path) => path.length === names.length + 1 && names.every((name, index) => name === path[index]),
    );
    this.#planned = this.#planNames(slots, dropped, inside, flattened);
    this.levels = [...this.#planned.values()].flatMap(({ flat }) => flat ?? []);
    this.#names = new FieldNames(this.#planned.size + maxUnplannedNames);
    this.#head = new FieldNames<NameState>(1).add('', createState(''));
    this.#addPlannedNames();
  }

  /** Whether the extra column has something of the current document, or of those in it that are taken apart. */
  get hasRest(): boolean {
    if (this.extras.areWritten) return true;
    return this.levels.length > 0 && this.levels.some((level) => this.has(level) && level.hasRest);
  }

  /** Whether the current document has this level inside. */
  has(level: FieldLevel): boolean {
    return level.document === this.document;
  }

  /** Keeps names of earlier batches from taking the place of names to come, once there is no place left. */
  startBatch(): void {
    for (const level of this.levels) level.startBatch();
    if (this.unplanned.length < maxUnplannedNames) return;
    this.#names.clear();
    this.unplanned = [];
    this.#addPlannedNames();
  }

  /**
   * Goes through the fields from `start` to before `end`. Throws a BsonError if the document is corrupt, and a DocumentError if
   * its extra column would have a field twice.
   *
   * @param document its number, or that of the one around it
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
        // jsonb would keep one of the two, and say nothing.
        if (this.#keepsWhole && slot !== null) throw duplicateError(name.value.shown);
        this.#markExtra(name.value);
        const isTwice = slot !== null || flat !== null;
        this.#addExtra(name.value.shown, isTwice ? 'duplicate_field' : 'no_column', cursor);
      }
    }
  }

  /** @returns false when the value at the cursor is not for the level inside */
  #takesApart(flat: FieldLevel, source: BsonBytes, state: NameState): boolean {
    const cursor = this.#cursor;
    const { document } = this;
    if (cursor.type === bsonTypes.null && state.slot === null) return true;
    if (cursor.type !== bsonTypes.object || flat.document === document) return false;
    flat.walk(source, cursor.valueStart, cursor.valueEnd, document);
    this.hasTrace = true;
    if (!flat.hasTrace) {
      // No column would tell it from one that is missing.
      this.#markExtra(state);
      this.#addExtra(state.shown, 'empty', cursor);
    }
    return true;
  }

  /**
   * Of the level inside, which goes to the extra column as an object of its name. Throws a DocumentError if the field already
   * exists there.
   */
  markRest({ name }: FieldLevel): void {
    const state = this.#planned.get(name);
    if (state !== undefined) this.#markExtra(state);
  }

  /**
   * Sends a value that its column does not take, or its row, to the extra column. Throws a DocumentError if the field
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
    // The others have their names in the document.
    const key = names.length === 1 ? null : Buffer.from(JSON.stringify(names.join('.')));
    this.#addExtra(slot.name, reason, slot, key);
  }

  /** What the plan says of each name. */
  #planNames(
    slots: readonly ColumnSlot[],
    dropped: readonly string[],
    inside: readonly (readonly string[])[],
    flattened: readonly (readonly string[])[],
  ): Map<string, NameState> {
    const depth = this.#depth;
    const states = new Map<string, NameState>();
    const stateOf = (name: string): NameState => {
      const known = states.get(name) ?? createState(`${this.#prefix}${name}`);
      states.set(name, known);
      return known;
    };
    const slotsIn = (name: string): ColumnSlot[] =>
      slots.filter(({ names }) => names.length > depth + 1 && names[depth] === name);
    for (const names of inside) {
      const name = names[depth] ?? '';
      stateOf(name).flat = new FieldLevel({ slots: slotsIn(name), flattened, names });
    }
    for (const slot of slots) {
      const name = slot.names[depth] ?? '';
      if (slot.names.length === depth + 1) {
        stateOf(name).slot = slot;
        continue;
      }
      const state = stateOf(name);
      if (state.flat !== null) continue;
      state.nested ??= new NestedFields(slotsIn(name), depth);
      // Under which it goes to the extra column.
      stateOf(slot.names.slice(depth).join('.'));
    }
    for (const name of dropped) {
      const state = stateOf(name);
      state.isDropped = state.slot === null && state.flat === null;
    }
    return states;
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

  /** The name at the cursor, which is remembered from now on if there is room. */
  #identify({ bytes, view }: BsonBytes): FieldName<NameState> | null {
    const { nameStart, nameEnd } = this.#cursor;
    const known = this.#names.find(view, nameStart, nameEnd);
    if (known !== null) return known;
    if (this.unplanned.length >= maxUnplannedNames || nameEnd - nameStart > maxUnplannedNameBytes) {
      return null;
    }
    const text = bytes.toString('utf8', nameStart, nameEnd);
    // A name that is not UTF-8 would be remembered as another one than it is; its document becomes a dead
    // letter anyway.
    if (text.includes('\ufffd')) return null;
    this.unplanned.push(text);
    return this.#names.add(text, createState(`${this.#prefix}${text}`));
  }

  #addOther({ bytes }: BsonBytes): void {
    const { nameStart, nameEnd } = this.#cursor;
    // Latin-1 tells any two names apart, even such as are not UTF-8.
    const name = bytes.toString('latin1', nameStart, nameEnd);
    if (this.#otherNames.has(name)) throw duplicateError(bytes.toString('utf8', nameStart, nameEnd));
    this.#otherNames.add(name);
    this.#addExtra(null, 'no_column', this.#cursor);
  }

  #markExtra(state: NameState): void {
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

/** Throws a RangeError if there are two columns for one value. */
function requireDifferent(slots: readonly ColumnSlot[]): void {
  const names = slots.map((slot) => JSON.stringify(slot.names));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new RangeError(`the plan has two columns for ${twice}`);
}

function leavesTrace({ type, losesEmpty, valueStart, valueEnd }: ColumnSlot): boolean {
  if (type === bsonTypes.null) return false;
  return !(losesEmpty && type === bsonTypes.array && valueEnd - valueStart === emptyArrayBytes);
}

/** Names can be megabytes long; what a message shows of one is not. */
const maxShownName = 100;

function duplicateError(name: string): DocumentError {
  const shown = name.length > maxShownName ? `${name.slice(0, maxShownName)}…` : name;
  return new DocumentError(
    'duplicate_extra',
    `the field ${JSON.stringify(shown)} would be twice in the extra column`,
  );
}
