/**
 * Walks raw BSON without making an object of it, and trusts no length before checking it against its parent.
 */

import { BsonError, bsonTypes } from './types.ts';
import { checkDocument, findNul, measureDocument, measureValue } from './values.ts';

/**
 * Bytes to read from, and a view of exactly these: a read outside of them throws instead of reaching what
 * lies beside.
 */
export interface BsonBytes {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function wrapBytes(bytes: Uint8Array): BsonBytes {
  return {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  };
}

/** A name that may come next in a document. */
export interface NameGuess {
  /** The name in UTF-8 and the NUL that ends it. */
  readonly terminated: DataView;
}

/**
 * Where an element of a document lies, in offsets into the bytes. A string's value starts with its length.
 */
export interface ElementPosition {
  readonly type: number;
  readonly nameStart: number;
  /** The offset of the NUL after the name. */
  readonly nameEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/**
 * Goes through the elements of one document or array after another. Allocates nothing: `next` changes the
 * cursor itself. A value that `next` has passed lies within its document and is well formed, except that the
 * inside of a document or an array is not looked at before it is opened.
 */
export class ElementCursor implements ElementPosition {
  type = 0;
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Whether the element has the name that was guessed. */
  isGuessed = false;
  #view: DataView = emptyView;
  #terminator = 0;

  /** Starts at the document at `start`, which must end at or before `limit`. Throws a BsonError. */
  open(view: DataView, start: number, limit: number): void {
    this.#terminator = start + checkDocument(view, start, limit) - 1;
    this.#view = view;
    this.valueEnd = start + 4;
  }

  /**
   * Goes to the next element; false at the end. A right guess saves looking for the end of the name. Throws a
   * BsonError.
   */
  next(guess: NameGuess | null): boolean {
    const start = this.valueEnd;
    const terminator = this.#terminator;
    if (start === terminator) return false;
    const type = this.#view.getUint8(start);
    const nameStart = start + 1;
    this.isGuessed = guess !== null && isNameAt(this.#view, nameStart, terminator, guess.terminated);
    const nameEnd =
      guess !== null && this.isGuessed
        ? nameStart + guess.terminated.byteLength - 1
        : findNul(this.#view, nameStart, terminator, 'a field name');
    this.type = type;
    this.nameStart = nameStart;
    this.nameEnd = nameEnd;
    this.valueStart = nameEnd + 1;
    this.valueEnd = nameEnd + 1 + measureValue(this.#view, type, nameEnd + 1, terminator);
    return true;
  }
}

/**
 * Goes through a BSON array of documents by their lengths alone, such as the `firstBatch` of a find reply.
 */
export class DocumentCursor {
  /** The current document: from `start` to before `end`. */
  start = 0;
  end = 0;
  readonly #view: DataView;
  readonly #terminator: number;

  /** `array` is the array's bytes and nothing else. Throws a BsonError. */
  constructor(array: Uint8Array) {
    this.#view = new DataView(array.buffer, array.byteOffset, array.byteLength);
    this.#terminator = checkDocument(this.#view, 0, array.byteLength) - 1;
    if (this.#terminator !== array.byteLength - 1) {
      throw new BsonError(`an array of ${this.#terminator + 1} bytes in ${array.byteLength}`, 0);
    }
    this.end = 4;
  }

  /** Goes to the next document; false at the end. Looks at its length, and not inside. Throws a BsonError. */
  next(): boolean {
    const element = this.end;
    const terminator = this.#terminator;
    if (element === terminator) return false;
    const type = this.#view.getUint8(element);
    if (type !== bsonTypes.object) {
      throw new BsonError(`type 0x${type.toString(16)} where the array should hold a document`, element);
    }
    const start = findNul(this.#view, element + 1, terminator, 'an array index') + 1;
    this.end = start + measureDocument(this.#view, start, terminator);
    this.start = start;
    return true;
  }
}

/** @param array the bytes of a BSON array of documents */
export function listDocuments(array: Uint8Array): Uint8Array[] {
  const documents: Uint8Array[] = [];
  for (const cursor = new DocumentCursor(array); cursor.next();) {
    documents.push(array.subarray(cursor.start, cursor.end));
  }
  return documents;
}

/** How many documents an array holds. Throws a BsonError. */
export function countDocuments(array: Uint8Array): number {
  const cursor = new DocumentCursor(array);
  let count = 0;
  while (cursor.next()) count++;
  return count;
}

/**
 * The first top-level field of this name, or null. Throws a BsonError if the document is corrupt before the
 * field.
 */
export function findField(document: Uint8Array, name: string): ElementPosition | null {
  const view = new DataView(document.buffer, document.byteOffset, document.byteLength);
  const guess = { terminated: terminateName(name) };
  const cursor = new ElementCursor();
  cursor.open(view, 0, document.byteLength);
  while (cursor.next(guess)) {
    if (cursor.isGuessed) return cursor;
  }
  return null;
}

/** The bytes of a name as a document has them, with the NUL that ends it. */
export function terminateName(name: string): DataView {
  const bytes = new TextEncoder().encode(`${name}\0`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const emptyView = new DataView(new ArrayBuffer(0));

/** Compares four bytes at a time: names are most of what is read of a small document. */
function isNameAt(view: DataView, start: number, limit: number, name: DataView): boolean {
  const length = name.byteLength;
  if (length > limit - start) return false;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    if (view.getInt32(start + i) !== name.getInt32(i)) return false;
  }
  for (; i < length; i++) {
    if (view.getUint8(start + i) !== name.getUint8(i)) return false;
  }
  return true;
}
