/** Finds values inside a field that have columns, in one pass over each embedded document. */

import { bsonTypes } from '../bson/types.ts';
import { type BsonBytes, ElementCursor } from '../bson/cursor.ts';
import type { ColumnSlot } from './column-slot.ts';
import { type FieldName, FieldNames } from './field-names.ts';

/** The state of a name in an embedded document: its column, or columns of values inside, or both. */
interface NestedState {
  readonly slot: ColumnSlot | null;
  readonly nested: NestedFields | null;
}

export class NestedFields {
  readonly #names: FieldNames<NestedState>;
  /** Comes before the first field. */
  readonly #head = new FieldNames<NestedState>(1).add('', { slot: null, nested: null });
  readonly #cursor = new ElementCursor();
  /** The last document that was searched. */
  #document = 0;

  /** @param slots columns whose paths are longer than `depth` and begin with the path of this field */
  constructor(slots: readonly ColumnSlot[], depth: number) {
    const names = new Set(slots.map(({ path }) => path[depth] ?? ''));
    this.#names = new FieldNames(names.size);
    for (const name of names) {
      const group = slots.filter(({ path }) => path[depth] === name);
      const inside = group.filter(({ path }) => path.length > depth + 1);
      this.#names.add(name, {
        slot: group.find(({ path }) => path.length === depth + 1) ?? null,
        nested: inside.length > 0 ? new NestedFields(inside, depth + 1) : null,
      });
    }
  }

  /**
   * Locates the columns in the value at these offsets, if it is a document. If a field occurs twice, the first counts. Throws a BsonError if it is corrupt.
   *
   * @param document the number of the document around it
   */
  locate(source: BsonBytes, type: number, start: number, end: number, document: number): void {
    if (type !== bsonTypes.object || this.#document === document) return;
    this.#document = document;
    const cursor = this.#cursor;
    let previous = this.#head;
    cursor.open(source.view, start, end);
    while (cursor.next(previous.next)) {
      const name: FieldName<NestedState> | null = cursor.isGuessed
        ? previous.next
        : this.#names.find(source.view, cursor.nameStart, cursor.nameEnd);
      if (name === null) continue;
      previous.next = name;
      previous = name;
      const { slot, nested } = name.value;
      if (slot !== null && slot.document !== document) slot.place(cursor, document);
      nested?.locate(source, cursor.type, cursor.valueStart, cursor.valueEnd, document);
    }
  }
}
