/**
 * Walks raw BSON without creating objects. Every length is checked against its parent before it is used.
 */

import { BsonError, bsonTypes } from './types.ts';
import { checkDocument, findNul, measureDocument, measureValue } from './values.ts';

/**
 * Bytes, and a view of exactly the same bytes, so that a read outside of them throws.
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

/** A name to compare field names with. */
export interface NameGuess {
  /** The name in UTF-8, with its terminating NUL. */
  readonly terminated: DataView;
}

/**
 * The offsets of an element of a document. The value of a string starts with its length.
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
 * Walks the elements of a document or an array; it can be reopened for another. `next` allocates nothing: it changes the
 * cursor itself. A value that `next` has passed is well formed and within its document. The content of a nested document or
 * array is not checked until it is opened.
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

  /** Opens the document at `start`, which must end at or before `limit`. @throws BsonError */
  open(view: DataView, start: number, limit: number): void {
    this.#terminator = start + checkDocument(view, start, limit) - 1;
    this.#view = view;
    this.valueEnd = start + 4;
  }

  /**
   * Moves to the next element. A correct guess saves searching for the end of the name.
   * @returns false at the end
   * @throws BsonError
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
 * Walks a BSON array of documents, such as the `firstBatch` of a find reply, by their lengths only.
 */
export class DocumentCursor {
  /** The current document is [start, end). */
  start = 0;
  end = 0;
  readonly #view: DataView;
  readonly #terminator: number;

  /** @param array exactly the bytes of the array @throws BsonError */
  constructor(array: Uint8Array) {
    this.#view = new DataView(array.buffer, array.byteOffset, array.byteLength);
    this.#terminator = checkDocument(this.#view, 0, array.byteLength) - 1;
    if (this.#terminator !== array.byteLength - 1) {
      throw new BsonError(`an array of ${this.#terminator + 1} bytes in ${array.byteLength}`, 0);
    }
    this.end = 4;
  }

  /** Moves to the next document; checks only its length. @returns false at the end @throws BsonError */
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

/** The number of documents in an array. @throws BsonError */
export function countDocuments(array: Uint8Array): number {
  const cursor = new DocumentCursor(array);
  let count = 0;
  while (cursor.next()) count++;
  return count;
}

/**
 * The first top-level field of this name, or null.
 * @throws BsonError if the document is corrupt before the field
 */
export function findField(document: Uint8Array, name: string): ElementPosition | null {
  const view = new DataView(document.buffer, document.byteOffset, document.byteLength);
  const guess = guessName(name);
  const cursor = new ElementCursor();
  cursor.open(view, 0, document.byteLength);
  while (cursor.next(guess)) {
    if (cursor.isGuessed) return cursor;
  }
  return null;
}

export function guessName(name: string): NameGuess {
  const bytes = new TextEncoder().encode(`${name}\0`);
  return { terminated: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

const emptyView = new DataView(new ArrayBuffer(0));

/** Compares four bytes at a time, because names are most of the bytes of a small document. */
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
