/** A hash table of field names by their bytes, which avoids creating strings. */

import { guessName, type NameGuess } from '../bson/cursor.ts';

/** A known field name. `T` is the caller's state for each name. */
export interface FieldName<T> extends NameGuess {
  readonly text: string;
  /**
   * The name that last followed this one: documents of a collection usually have the same field order.
   */
  next: FieldName<T> | null;
  readonly value: T;
}

/** A hash table with open addressing; names are never removed individually. */
export class FieldNames<T> {
  readonly #slots: (FieldName<T> | null)[];
  readonly #mask: number;
  /** Random per process, so that names cannot be chosen to collide. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);

  /** Holds up to `capacity` names; half of the slots stay free. */
  constructor(capacity: number) {
    const slotCount = 2 ** Math.ceil(Math.log2(capacity * 2 + 2));
    this.#slots = Array.from({ length: slotCount }, () => null);
    this.#mask = slotCount - 1;
  }

  /** Adds a name that is not there yet. */
  add(text: string, value: T): FieldName<T> {
    const { terminated } = guessName(text);
    const name: FieldName<T> = { text, terminated, next: null, value };
    this.#slots[this.#locate(terminated, 0, terminated.byteLength - 1)] = name;
    return name;
  }

  /** The name from `start` to before `end`, or null. */
  find(view: DataView, start: number, end: number): FieldName<T> | null {
    return this.#slots[this.#locate(view, start, end)] ?? null;
  }

  clear(): void {
    this.#slots.fill(null);
  }

  /** The slot that holds the name, or the free one for it. */
  #locate(view: DataView, start: number, end: number): number {
    let slot = this.#hash(view, start, end) & this.#mask;
    for (;;) {
      const name = this.#slots[slot] ?? null;
      if (name === null || isSameName(name.terminated, view, start, end)) return slot;
      slot = (slot + 1) & this.#mask;
    }
  }

  /** FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
  #hash(view: DataView, start: number, end: number): number {
    let hash = this.#seed;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ view.getUint8(i), 0x01000193);
    return hash ^ (hash >>> 15);
  }
}

function isSameName(terminated: DataView, view: DataView, start: number, end: number): boolean {
  if (terminated.byteLength - 1 !== end - start) return false;
  for (let i = start; i < end; i++) {
    if (terminated.getUint8(i - start) !== view.getUint8(i)) return false;
  }
  return true;
}
