/** Walks raw BSON without making an object of it, and trusts no length before checking it against its parent. */

import { SourceError } from '../errors.ts';

/** The type byte of an element, under MongoDB's own name for it. https://bsonspec.org/spec.html */
export const bsonTypes = {
  double: 0x01,
  string: 0x02,
  object: 0x03,
  array: 0x04,
  binData: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  bool: 0x08,
  date: 0x09,
  null: 0x0a,
  regex: 0x0b,
  dbPointer: 0x0c,
  javascript: 0x0d,
  symbol: 0x0e,
  javascriptWithScope: 0x0f,
  int: 0x10,
  timestamp: 0x11,
  long: 0x12,
  decimal: 0x13,
  maxKey: 0x7f,
  minKey: 0xff,
} as const;

/** The name of a BSON type, as `$type` has it: https://www.mongodb.com/docs/manual/reference/bson-types/ */
export type BsonTypeName = keyof typeof bsonTypes;

const typeNames = new Map<number, BsonTypeName>();
for (const name of Object.keys(bsonTypes) as BsonTypeName[]) {
  typeNames.set(bsonTypes[name], name);
}

export function nameOfType(type: number): BsonTypeName {
  const name = typeNames.get(type);
  if (name === undefined) throw new RangeError(`0x${type.toString(16)} is not a BSON type`);
  return name;
}

/** Bytes that are not BSON: what is wrong with them, and at which byte of those that were handed over. */
export class BsonError extends SourceError {
  readonly problem: string;
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`corrupt BSON: ${problem} at byte ${offset}`, {
      fix: 'Run validate() on the collection in MongoDB; it finds and explains damaged documents.',
    });
    this.problem = problem;
    this.offset = offset;
  }
}

/** Bytes to read from, and a view of exactly these: a read outside of them throws instead of reaching what lies beside. */
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

/** An int32 length, a byte of content or none, and the NUL that ends a document. */
const MIN_DOCUMENT_BYTES = 5;

/** Where an element of a document lies, in offsets into the bytes. A string's value starts with its length. */
export interface ElementPosition {
  readonly type: number;
  readonly nameStart: number;
  /** The offset of the NUL after the name. */
  readonly nameEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/**
 * Goes through the elements of one document or array after another. Allocates nothing: `next` changes the cursor itself.
 * A value that `next` has passed lies within its document and is well formed, except that the inside of a document or an
 * array is not looked at before it is opened.
 */
export class ElementCursor implements ElementPosition {
  type = 0;
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Whether the element has the name that was guessed. */
  isGuessed = false;
  private view: DataView = EMPTY_VIEW;
  private terminator = 0;

  /** Starts at the document at `start`, which must end at or before `limit`. Throws a BsonError. */
  open(view: DataView, start: number, limit: number): void {
    this.terminator = start + checkDocument(view, start, limit) - 1;
    this.view = view;
    this.valueEnd = start + 4;
  }

  /** Goes to the next element; false at the end. A right guess saves looking for the end of the name. Throws a BsonError. */
  next(guess: NameGuess | null): boolean {
    const start = this.valueEnd;
    const terminator = this.terminator;
    if (start === terminator) return false;
    const type = this.view.getUint8(start);
    const nameStart = start + 1;
    this.isGuessed = guess !== null && isNameAt(this.view, nameStart, terminator, guess.terminated);
    const nameEnd =
      guess !== null && this.isGuessed
        ? nameStart + guess.terminated.byteLength - 1
        : findNul(this.view, nameStart, terminator, 'a field name');
    this.type = type;
    this.nameStart = nameStart;
    this.nameEnd = nameEnd;
    this.valueStart = nameEnd + 1;
    this.valueEnd = nameEnd + 1 + measureValue(this.view, type, nameEnd + 1, terminator);
    return true;
  }
}

/** Goes through a BSON array of documents by their lengths alone, such as the `firstBatch` of a find reply. */
export class DocumentCursor {
  /** The current document: from `start` to before `end`. */
  start = 0;
  end = 0;
  private readonly view: DataView;
  private readonly terminator: number;

  /** `array` is the array's bytes and nothing else. Throws a BsonError. */
  constructor(array: Uint8Array) {
    this.view = new DataView(array.buffer, array.byteOffset, array.byteLength);
    this.terminator = checkDocument(this.view, 0, array.byteLength) - 1;
    if (this.terminator !== array.byteLength - 1) {
      throw new BsonError(`an array of ${this.terminator + 1} bytes in ${array.byteLength}`, 0);
    }
    this.end = 4;
  }

  /** Goes to the next document; false at the end. Looks at its length, and not inside. Throws a BsonError. */
  next(): boolean {
    const element = this.end;
    const terminator = this.terminator;
    if (element === terminator) return false;
    const type = this.view.getUint8(element);
    if (type !== bsonTypes.object) {
      throw new BsonError(`type 0x${type.toString(16)} where the array should hold a document`, element);
    }
    const start = findNul(this.view, element + 1, terminator, 'an array index') + 1;
    this.end = start + measureDocument(this.view, start, terminator);
    this.start = start;
    return true;
  }
}

/** How many documents an array holds. Throws a BsonError. */
export function countDocuments(array: Uint8Array): number {
  const cursor = new DocumentCursor(array);
  let count = 0;
  while (cursor.next()) count++;
  return count;
}

/** The first top-level field of this name, or null. Throws a BsonError if the document is corrupt before the field. */
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

const EMPTY_VIEW = new DataView(new ArrayBuffer(0));

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

function findNul(view: DataView, start: number, limit: number, what: string): number {
  for (let i = start; i < limit; i++) {
    if (view.getUint8(i) === 0) return i;
  }
  throw new BsonError(`${what} without an end`, start);
}

function checkFits(size: number, start: number, limit: number, what: string): void {
  if (size > limit - start) {
    throw new BsonError(`${what} of ${size} bytes where ${Math.max(limit - start, 0)} are left`, start);
  }
}

function readLength(view: DataView, start: number, limit: number, what: string): number {
  checkFits(4, start, limit, `the length of ${what}`);
  return view.getInt32(start, true);
}

/** The length of a document that stays within its parent; its last byte is not looked at. */
function measureDocument(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'a document');
  if (length < MIN_DOCUMENT_BYTES) throw new BsonError(`a document of ${length} bytes`, start);
  checkFits(length, start, limit, 'a document');
  return length;
}

function checkDocument(view: DataView, start: number, limit: number): number {
  const length = measureDocument(view, start, limit);
  if (view.getUint8(start + length - 1) !== 0) {
    throw new BsonError('a document without its final NUL', start + length - 1);
  }
  return length;
}

/** The length of a string with its length word and its NUL. */
function checkString(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'a string');
  if (length < 1) throw new BsonError(`a string of ${length} bytes`, start);
  checkFits(length, start + 4, limit, 'a string');
  if (view.getUint8(start + 4 + length - 1) !== 0) {
    throw new BsonError('a string without its final NUL', start + 4 + length - 1);
  }
  return 4 + length;
}

function checkFixed(size: number, start: number, limit: number): number {
  checkFits(size, start, limit, 'a value');
  return size;
}

/** The length in bytes of the value at `start`, which was found to end at or before `limit`. */
function measureValue(view: DataView, type: number, start: number, limit: number): number {
  switch (type) {
    case bsonTypes.string:
    case bsonTypes.javascript:
    case bsonTypes.symbol:
      return checkString(view, start, limit);
    case bsonTypes.int:
      return checkFixed(4, start, limit);
    case bsonTypes.double:
    case bsonTypes.date:
    case bsonTypes.long:
    case bsonTypes.timestamp:
      return checkFixed(8, start, limit);
    case bsonTypes.objectId:
      return checkFixed(12, start, limit);
    case bsonTypes.bool:
      return checkBool(view, start, limit);
    case bsonTypes.object:
    case bsonTypes.array:
      return checkDocument(view, start, limit);
    case bsonTypes.null:
    case bsonTypes.undefined:
    case bsonTypes.minKey:
    case bsonTypes.maxKey:
      return 0;
    case bsonTypes.decimal:
      return checkFixed(16, start, limit);
    case bsonTypes.binData:
      return checkBinary(view, start, limit);
    case bsonTypes.regex: {
      const pattern = findNul(view, start, limit, 'a regular expression');
      return findNul(view, pattern + 1, limit, 'the options of a regular expression') + 1 - start;
    }
    case bsonTypes.dbPointer: {
      const length = checkString(view, start, limit);
      return length + checkFixed(12, start + length, limit);
    }
    case bsonTypes.javascriptWithScope:
      return checkCodeWithScope(view, start, limit);
    default:
      throw new BsonError(`a value of the unknown type 0x${type.toString(16).padStart(2, '0')}`, start);
  }
}

function checkBool(view: DataView, start: number, limit: number): number {
  checkFits(1, start, limit, 'a value');
  const value = view.getUint8(start);
  if (value > 1) throw new BsonError(`a boolean of the value ${value}`, start);
  return 1;
}

function checkBinary(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'a binary value');
  if (length < 0) throw new BsonError(`a binary value of ${length} bytes`, start);
  checkFits(1 + length, start + 4, limit, 'a binary value');
  if (view.getUint8(start + 4) === OLD_BINARY_SUBTYPE) {
    // This subtype repeats its length inside.
    const inner = readLength(view, start + 5, start + 5 + length, 'an old binary value');
    if (inner !== length - 4) throw new BsonError(`an old binary value of ${inner} bytes`, start + 5);
  }
  return 5 + length;
}

export const OLD_BINARY_SUBTYPE = 2;

function checkCodeWithScope(view: DataView, start: number, limit: number): number {
  const length = readLength(view, start, limit, 'code with scope');
  checkFits(length, start, limit, 'code with scope');
  const end = start + length;
  const codeLength = checkString(view, start + 4, end);
  const scopeLength = checkDocument(view, start + 4 + codeLength, end);
  if (4 + codeLength + scopeLength !== length)
    throw new BsonError(`code with scope of ${length} bytes`, start);
  return length;
}
