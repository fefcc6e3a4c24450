/** Walks BSON in place: checks its structure, finds fields, and points at values without decoding them. */
import { deserialize } from 'bson';
import { QueryError, QueryErrorCode } from './errors.ts';

/** Type bytes as they are on the wire. https://bsonspec.org/spec.html */
export const BsonType = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  javascript: 13,
  symbol: 14,
  javascriptWithScope: 15,
  int: 16,
  timestamp: 17,
  long: 18,
  decimal: 19,
  maxKey: 127,
  minKey: 255,
} as const;

/** A value in place: its type and the bytes [start, end) of it. */
export interface RawValue {
  readonly type: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** A field in place; `nameStart` is where the element begins its name, one byte after its type. */
export interface RawField extends RawValue {
  readonly name: string;
  readonly nameStart: number;
}

/** mongod's limit on nesting: deeper documents are refused, which bounds the recursion here. */
export const maxDepth = 200;

export function readInt32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] ?? 0) |
    ((bytes[offset + 1] ?? 0) << 8) |
    ((bytes[offset + 2] ?? 0) << 16) |
    ((bytes[offset + 3] ?? 0) << 24)
  );
}

/** Checks the whole structure of the document at `start`, which may not reach beyond `limit`; returns its end. */
export function checkDocument(bytes: Buffer, start: number, limit: number, depth = 0): number {
  if (depth > maxDepth) {
    throw new QueryError(QueryErrorCode.overflow, `BSON nested deeper than ${maxDepth} levels`);
  }
  if (start + 5 > limit) {
    throw invalid(start, 'a document is cut off');
  }
  const end = start + readInt32(bytes, start);
  if (end < start + 5 || end > limit) {
    throw invalid(start, 'a document has an impossible length');
  }
  let offset = start + 4;
  while (offset < end - 1) {
    const type = bytes[offset] ?? 0;
    const valueStart = skipName(bytes, offset + 1, end - 1);
    offset = checkValue(type, bytes, valueStart, end - 1, depth);
  }
  if (offset !== end - 1 || bytes[offset] !== 0) {
    throw invalid(offset, 'a document does not end where its length says');
  }
  return end;
}

/** Checks the value of `type` at `start`, which may not reach beyond `limit`; returns its end. */
export function checkValue(type: number, bytes: Buffer, start: number, limit: number, depth = 0): number {
  let end: number;
  switch (type) {
    case BsonType.object:
    case BsonType.array:
      return checkDocument(bytes, start, limit, depth + 1);
    case BsonType.string:
    case BsonType.symbol:
    case BsonType.javascript:
      return checkString(bytes, start, limit);
    case BsonType.regex:
      return skipName(bytes, skipName(bytes, start, limit), limit);
    case BsonType.dbPointer:
      end = checkString(bytes, start, limit) + 12;
      break;
    case BsonType.javascriptWithScope: {
      if (start + 4 > limit) {
        throw invalid(start, 'a value is cut off');
      }
      end = start + readInt32(bytes, start);
      if (end > limit || end < start + 14) {
        throw invalid(start, 'code with scope has an impossible length');
      }
      const scopeEnd = checkDocument(bytes, checkString(bytes, start + 4, end), end, depth + 1);
      if (scopeEnd !== end) {
        throw invalid(start, 'code with scope does not end where its length says');
      }
      return end;
    }
    case BsonType.binData: {
      const length = start + 5 <= limit ? readInt32(bytes, start) : -1;
      if (length < 0) {
        throw invalid(start, 'binary data has an impossible length');
      }
      end = start + 5 + length;
      break;
    }
    case BsonType.bool:
      if ((bytes[start] ?? 0) > 1) {
        throw invalid(start, 'a boolean is neither 0 nor 1');
      }
      end = start + 1;
      break;
    default: {
      const size = fixedSizes[type];
      if (size === undefined) {
        throw invalid(start, `there is no type ${type}`);
      }
      end = start + size;
    }
  }
  if (end > limit) {
    throw invalid(start, 'a value is cut off');
  }
  return end;
}

/** Where the value at `start` ends, for bytes that were checked before. */
export function findValueEnd(type: number, bytes: Buffer, start: number): number {
  switch (type) {
    case BsonType.object:
    case BsonType.array:
    case BsonType.javascriptWithScope:
      return start + readInt32(bytes, start);
    case BsonType.string:
    case BsonType.symbol:
    case BsonType.javascript:
      return start + 4 + readInt32(bytes, start);
    case BsonType.binData:
      return start + 5 + readInt32(bytes, start);
    case BsonType.dbPointer:
      return start + 16 + readInt32(bytes, start);
    case BsonType.regex:
      return skipName(bytes, skipName(bytes, start, bytes.length), bytes.length);
    case BsonType.bool:
      return start + 1;
    default:
      return start + (fixedSizes[type] ?? 0);
  }
}

/** The fields of the checked document at `start`, in order. */
export function* readFields(bytes: Buffer, start: number): Generator<RawField, void, undefined> {
  const last = start + readInt32(bytes, start) - 1;
  let offset = start + 4;
  while (offset < last) {
    const type = bytes[offset] ?? 0;
    const nameStart = offset + 1;
    const valueStart = skipName(bytes, nameStart, last);
    const end = findValueEnd(type, bytes, valueStart);
    const name = bytes.toString('utf8', nameStart, valueStart - 1);
    yield { type, bytes, start: valueStart, end, name, nameStart };
    offset = end;
  }
}

/** The first field called `name` of the checked document at `start`. */
export function findField(bytes: Buffer, start: number, name: Buffer): RawValue | undefined {
  const last = start + readInt32(bytes, start) - 1;
  let offset = start + 4;
  while (offset < last) {
    const type = bytes[offset] ?? 0;
    const valueStart = skipName(bytes, offset + 1, last);
    const end = findValueEnd(type, bytes, valueStart);
    if (isName(bytes, offset + 1, valueStart - 1, name)) {
      return { type, bytes, start: valueStart, end };
    }
    offset = end;
  }
  return undefined;
}

/** The offset after the zero byte that ends the name (or pattern) at `start`. */
export function skipName(bytes: Uint8Array, start: number, limit: number): number {
  let offset = start;
  while (offset < limit) {
    if (bytes[offset++] === 0) {
      return offset;
    }
  }
  throw invalid(start, 'a name does not end');
}

/** The text of a checked string, symbol or code. */
export function readString(value: RawValue): string {
  return value.bytes.toString('utf8', value.start + 4, value.end - 1);
}

/** The object as js-bson has it, with the types of its values kept. */
export function decodeDocument(value: RawValue): Record<string, unknown> {
  return deserialize(value.bytes.subarray(value.start, value.end), {
    promoteValues: false,
    bsonRegExp: true,
    validation: { utf8: false },
  });
}

/** The value alone in a document of its own, `{'': value}`, so that js-bson can decode it. */
export function wrapValue(value: RawValue): Buffer {
  const length = value.end - value.start;
  const document = Buffer.alloc(length + 7);
  document.writeInt32LE(length + 7, 0);
  document[4] = value.type;
  value.bytes.copy(document, 6, value.start, value.end);
  return document;
}

const fixedSizes: readonly (number | undefined)[] = (() => {
  const sizes: (number | undefined)[] = new Array<number | undefined>(256).fill(undefined);
  for (const type of [BsonType.undefined, BsonType.null, BsonType.minKey, BsonType.maxKey]) {
    sizes[type] = 0;
  }
  for (const type of [BsonType.double, BsonType.date, BsonType.timestamp, BsonType.long]) {
    sizes[type] = 8;
  }
  sizes[BsonType.int] = 4;
  sizes[BsonType.objectId] = 12;
  sizes[BsonType.decimal] = 16;
  return sizes;
})();

function checkString(bytes: Buffer, start: number, limit: number): number {
  const length = start + 5 <= limit ? readInt32(bytes, start) : 0;
  const end = start + 4 + length;
  if (length < 1 || end > limit || bytes[end - 1] !== 0) {
    throw invalid(start, 'a string has an impossible length');
  }
  return end;
}

function isName(bytes: Buffer, start: number, end: number, name: Buffer): boolean {
  if (end - start !== name.length) {
    return false;
  }
  for (let index = 0; index < name.length; index++) {
    if (bytes[start + index] !== name[index]) {
      return false;
    }
  }
  return true;
}

function invalid(offset: number, problem: string): QueryError {
  return new QueryError(QueryErrorCode.invalidBson, `invalid BSON at byte ${offset}: ${problem}`);
}
