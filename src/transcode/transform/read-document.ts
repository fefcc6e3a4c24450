/**
 * Converts a BSON document to a JavaScript object, from which `write-document.ts` restores every value: if a JavaScript value would
 * not determine the type, it is one of js-bson's classes.
 */

import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
} from 'bson';
import { isUuid, findBinaryContent } from '../../bson/binary.ts';
import { type BsonBytes, ElementCursor } from '../../bson/cursor.ts';
import { maxNesting } from '../../bson/raw-value.ts';
import { bsonTypes, NestingError } from '../../bson/types.ts';
import { findNul, findScope } from '../../bson/values.ts';
import { DocumentError } from '../../bson/document-error.ts';
import { isUtf8 } from 'node:buffer';
import { KeptValue } from './kept-value.ts';
import { readName } from './name-cache.ts';

/** The most milliseconds from 1970 that a Date can have. https://tc39.es/ecma262/#sec-time-values-and-time-range */
const maxDateMs = 8_640_000_000_000_000n;

/**
 * The document at `start`.
 * @throws DocumentError, BsonError, NestingError for one that an object cannot hold
 */
export function readDocument(source: BsonBytes, start: number, end: number): Record<string, unknown> {
  return readFields(source, start, end, maxNesting);
}

function readFields(source: BsonBytes, start: number, end: number, nesting: number): Record<string, unknown> {
  if (nesting < 0) throw new NestingError('more levels of documents and arrays than are supported', start);
  const document: Record<string, unknown> = {};
  const cursor = new ElementCursor();
  cursor.open(source.view, start, end);
  while (cursor.next(null)) {
    const { type, nameStart, nameEnd, valueStart, valueEnd } = cursor;
    const name = readName(source, nameStart, nameEnd, readText);
    if (Object.hasOwn(document, name)) {
      const problem = `the field ${JSON.stringify(name)} occurs twice, which an object cannot represent`;
      throw new DocumentError('transform_input', problem, nameStart);
    }
    const value = readValue(source, type, valueStart, valueEnd, nesting);
    if (name === '__proto__') {
      Object.defineProperty(document, name, { value, writable: true, enumerable: true, configurable: true });
    } else {
      document[name] = value;
    }
  }
  return document;
}

function readArray(source: BsonBytes, start: number, end: number, nesting: number): unknown[] {
  if (nesting < 0) throw new NestingError('more levels of documents and arrays than are supported', start);
  const values: unknown[] = [];
  const cursor = new ElementCursor();
  cursor.open(source.view, start, end);
  while (cursor.next(null)) {
    values.push(readValue(source, cursor.type, cursor.valueStart, cursor.valueEnd, nesting));
  }
  return values;
}

function readValue(source: BsonBytes, type: number, start: number, end: number, nesting: number): unknown {
  const { bytes, view } = source;
  switch (type) {
    case bsonTypes.string:
      return readString(source, start);
    case bsonTypes.int:
      return view.getInt32(start, true);
    case bsonTypes.double:
      return new Double(view.getFloat64(start, true));
    case bsonTypes.long:
      return view.getBigInt64(start, true);
    case bsonTypes.bool:
      return view.getUint8(start) === 1;
    case bsonTypes.null:
      return null;
    case bsonTypes.undefined:
      return undefined;
    case bsonTypes.objectId:
      return new ObjectId(copyOf(bytes, start, end));
    case bsonTypes.date: {
      const time = view.getBigInt64(start, true);
      const isDate = time >= -maxDateMs && time <= maxDateMs;
      return isDate ? new Date(Number(time)) : new KeptValue(type, copyOf(bytes, start, end));
    }
    case bsonTypes.object:
      return readFields(source, start, end, nesting - 1);
    case bsonTypes.array:
      return readArray(source, start, end, nesting - 1);
    case bsonTypes.binData: {
      const content = copyOf(bytes, findBinaryContent(view, start), end);
      return isUuid(source, start, end) ? new UUID(content) : new Binary(content, view.getUint8(start + 4));
    }
    case bsonTypes.decimal:
      return new Decimal128(copyOf(bytes, start, end));
    case bsonTypes.timestamp:
      return new Timestamp(view.getBigUint64(start, true));
    case bsonTypes.regex: {
      const pattern = findNul(view, start, end, 'a regular expression');
      const options = readText(source, pattern + 1, end - 1);
      // js-bson sorts the options: another order is kept as raw bytes.
      if (options !== Array.from(options).sort().join('')) {
        return new KeptValue(type, copyOf(bytes, start, end));
      }
      return new BSONRegExp(readText(source, start, pattern), options);
    }
    case bsonTypes.symbol:
      return new BSONSymbol(readString(source, start));
    case bsonTypes.javascript:
      return new Code(readString(source, start));
    case bsonTypes.javascriptWithScope: {
      const scope = readFields(source, findScope(view, start), end, nesting - 1);
      return new Code(readString(source, start + 4), scope);
    }
    case bsonTypes.minKey:
      return new MinKey();
    case bsonTypes.maxKey:
      return new MaxKey();
    default:
      return new KeptValue(type, copyOf(bytes, start, end));
  }
}

/** @param start of its length */
function readString(source: BsonBytes, start: number): string {
  return readText(source, start + 4, start + 4 + source.view.getInt32(start, true) - 1);
}

function readText(source: BsonBytes, start: number, end: number): string {
  const text = source.bytes.toString('utf8', start, end);
  // Invalid UTF-8 would be decoded as this character.
  if (text.includes('\ufffd') && !isUtf8(source.bytes.subarray(start, end))) {
    throw new DocumentError('invalid_utf8', 'bytes that are not UTF-8', start);
  }
  return text;
}

/** Copied, since the function may keep it, and the batch's memory is reused. */
function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  return Buffer.from(bytes.subarray(start, end));
}
