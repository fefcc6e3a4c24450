/** BSON values in place: their type and offsets, found and checked by the functions of `cursor.ts` and `values.ts`. */

import { ElementCursor, type NameGuess } from './cursor.ts';
import { bsonTypes, NestingError } from './types.ts';
import { checkDocument, findNul, findScope, measureValue } from './values.ts';

/** A value in place: its type, and its bytes [start, end). */
export interface RawValue {
  readonly type: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** A field in place; `nameStart` is the offset of its name, one byte after its type. */
export interface RawField extends RawValue {
  readonly name: string;
  readonly nameStart: number;
}

/** mongod's limit for nested levels. It also bounds the recursion here. */
export const maxNesting = 200;

export function readInt32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] ?? 0) |
    ((bytes[offset + 1] ?? 0) << 8) |
    ((bytes[offset + 2] ?? 0) << 16) |
    ((bytes[offset + 3] ?? 0) << 24)
  );
}

let lastBytes: Buffer = Buffer.alloc(0);
let lastView = new DataView(lastBytes.buffer, lastBytes.byteOffset, 0);

/** The last view is kept: creating one costs more than most walks, and many documents share a buffer. */
export function viewOf(bytes: Buffer): DataView {
  if (bytes !== lastBytes) {
    lastBytes = bytes;
    lastView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return lastView;
}

/** The cursor of `findValue`. It is kept, because creating one costs as much as walking a small document. */
const finder = new ElementCursor();

/**
 * Checks the document at `start` with all its content, which must end at or before `limit`.
 * @param nesting the maximum of levels of documents and arrays in it
 * @returns its end
 * @throws BsonError, NestingError
 */
export function validateDocument(bytes: Buffer, start: number, limit: number, nesting = maxNesting): number {
  return validate(viewOf(bytes), start, limit, nesting);
}

/** Without a cursor: a document that does not match a filter is only validated, and local variables are faster. */
function validate(view: DataView, start: number, limit: number, nesting: number): number {
  if (nesting < 0) throw new NestingError('more levels of documents and arrays than are supported', start);
  const end = start + checkDocument(view, start, limit) - 1;
  let at = start + 4;
  while (at !== end) {
    const type = view.getUint8(at);
    const valueStart = findNul(view, at + 1, end, 'a field name') + 1;
    at = valueStart + measureValue(view, type, valueStart, end);
    if (type === bsonTypes.object || type === bsonTypes.array) {
      validate(view, valueStart, at, nesting - 1);
    } else if (type === bsonTypes.javascriptWithScope) {
      validate(view, findScope(view, valueStart), at, nesting - 1);
    }
  }
  return end + 1;
}

/** The end of the value at `start`. @throws BsonError */
export function findValueEnd(type: number, bytes: Buffer, start: number): number {
  return start + measureValue(viewOf(bytes), type, start, bytes.length);
}

/** The fields of the document at `start`, in order. @throws BsonError */
export function* readFields(bytes: Buffer, start: number): Generator<RawField, void, undefined> {
  const cursor = new ElementCursor();
  cursor.open(viewOf(bytes), start, bytes.length);
  while (cursor.next(null)) {
    const { type, nameStart, nameEnd, valueStart, valueEnd } = cursor;
    const name = bytes.toString('utf8', nameStart, nameEnd);
    yield { type, bytes, start: valueStart, end: valueEnd, name, nameStart };
  }
}

/** The value of the first field of this name in the document at `start`. @throws BsonError */
export function findValue(bytes: Buffer, start: number, name: NameGuess): RawValue | undefined {
  finder.open(viewOf(bytes), start, bytes.length);
  while (finder.next(name)) {
    if (finder.isGuessed) return { type: finder.type, bytes, start: finder.valueStart, end: finder.valueEnd };
  }
  return undefined;
}

/** The offset after the NUL that ends the name (or pattern) at `start`. @throws BsonError */
export function skipName(bytes: Buffer, start: number, limit: number): number {
  return findNul(viewOf(bytes), start, limit, 'a name') + 1;
}

/** The text of a string, symbol or code. */
export function readString(value: RawValue): string {
  return value.bytes.toString('utf8', value.start + 4, value.end - 1);
}
