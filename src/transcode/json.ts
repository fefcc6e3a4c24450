/**
 * Writes BSON values as Extended JSON v2 into the output buffer, without an object per value:
 * https://github.com/mongodb/specifications/blob/master/source/extended-json.md
 *
 * All types but decimal128 are written here and not by js-bson: it reads a DBPointer as a DBRef and undefined
 * as null, orders a regular expression's options, refuses options it does not know, and would make numbers of
 * the int64s in a scope.
 */

import { Decimal128 } from 'bson';
import { bsonTypes } from './bson-types.ts';
import { OLD_BINARY_SUBTYPE } from './bson-values.ts';
import { type BsonBytes, ElementCursor } from './bson.ts';
import { readInt64, writeInt64, writeInteger, writeIsoDate, writeNumber } from './digits.ts';
import { DocumentError } from './document-error.ts';
import { hexDigit, writeJsonString } from './json-string.ts';
import type { Output } from './output.ts';

/**
 * `canonical` keeps the type of every number and date; `relaxed` writes them as JSON does where nothing is
 * lost.
 */
export type JsonStyle = 'relaxed' | 'canonical';

/**
 * MongoDB itself stops at 100 levels; a hostile document must not exhaust the stack here, nor that of
 * Postgres.
 */
export const MAX_JSON_DEPTH = 200;

/** 10000-01-01T00:00:00Z: from here on a date has no ISO text of a four-digit year. */
const YEAR_10000_MS = 253_402_300_800_000;

export class JsonWriter {
  private readonly isRelaxed: boolean;
  /** One for each level of nesting. */
  private readonly cursors: ElementCursor[] = [];

  constructor(style: JsonStyle) {
    this.isRelaxed = style === 'relaxed';
  }

  /**
   * Writes the value that an ElementCursor has found. Throws a BsonError if a document inside is corrupt, and
   * a DocumentError if Postgres could not store the text; part of it may be written then.
   */
  writeValue(source: BsonBytes, type: number, start: number, end: number, output: Output, depth = 0): void {
    const { view } = source;
    switch (type) {
      case bsonTypes.string:
        writeJsonString(source, start + 4, end - 1, output);
        break;
      case bsonTypes.int:
        if (this.isRelaxed) writeInteger(view.getInt32(start, true), output);
        else {
          writeLiteral(text.numberInt, output);
          writeInteger(view.getInt32(start, true), output);
          writeLiteral(text.endQuoted, output);
        }
        break;
      case bsonTypes.long:
        if (this.isRelaxed) writeInt64(view, start, output);
        else writeNumberLong(view, start, output);
        break;
      case bsonTypes.double:
        this.writeDouble(view.getFloat64(start, true), output);
        break;
      case bsonTypes.object:
        this.writeDocument(source, start, end, output, depth);
        break;
      case bsonTypes.array:
        this.writeArray(source, start, end, output, depth);
        break;
      case bsonTypes.objectId:
        writeObjectId(view, start, output);
        break;
      case bsonTypes.bool:
        writeLiteral(view.getUint8(start) === 1 ? text.true : text.false, output);
        break;
      case bsonTypes.date:
        this.writeDate(view, start, output);
        break;
      case bsonTypes.null:
        writeLiteral(text.null, output);
        break;
      case bsonTypes.undefined:
        writeLiteral(text.undefined, output);
        break;
      case bsonTypes.minKey:
        writeLiteral(text.minKey, output);
        break;
      case bsonTypes.maxKey:
        writeLiteral(text.maxKey, output);
        break;
      case bsonTypes.symbol:
        writeLiteral(text.symbol, output);
        writeJsonString(source, start + 4, end - 1, output);
        writeLiteral(text.end, output);
        break;
      case bsonTypes.decimal:
        writeLiteral(text.numberDecimal, output);
        output.writeAscii(new Decimal128(source.bytes.subarray(start, end)).toString());
        writeLiteral(text.endQuoted, output);
        break;
      case bsonTypes.binData:
        writeBinary(source, start, end, output);
        break;
      case bsonTypes.timestamp:
        // The two halves of a uint64: seconds above, the ordinal below.
        writeLiteral(text.timestamp, output);
        writeInteger(view.getUint32(start + 4, true), output);
        writeLiteral(text.timestampOrdinal, output);
        writeInteger(view.getUint32(start, true), output);
        writeLiteral(text.endEnd, output);
        break;
      case bsonTypes.regex:
        writeRegex(source, start, end, output);
        break;
      case bsonTypes.dbPointer:
        writeLiteral(text.dbPointer, output);
        writeJsonString(source, start + 4, end - 13, output);
        writeLiteral(text.dbPointerId, output);
        writeObjectId(view, end - 12, output);
        writeLiteral(text.endEnd, output);
        break;
      case bsonTypes.javascript:
        writeLiteral(text.code, output);
        writeJsonString(source, start + 4, end - 1, output);
        writeLiteral(text.end, output);
        break;
      case bsonTypes.javascriptWithScope: {
        const scopeStart = start + 8 + view.getInt32(start + 4, true);
        writeLiteral(text.code, output);
        writeJsonString(source, start + 8, scopeStart - 1, output);
        writeLiteral(text.codeScope, output);
        this.writeDocument(source, scopeStart, end, output, depth);
        writeLiteral(text.end, output);
        break;
      }
      default:
        throw new RangeError(`0x${type.toString(16)} is not a BSON type`);
    }
  }

  private writeDocument(source: BsonBytes, start: number, end: number, output: Output, depth: number): void {
    const cursor = this.cursorAt(depth, start);
    cursor.open(source.view, start, end);
    let separator = 0x7b;
    while (cursor.next(null)) {
      output.writeByte(separator);
      separator = 0x2c;
      writeJsonString(source, cursor.nameStart, cursor.nameEnd, output);
      output.writeByte(0x3a);
      this.writeValue(source, cursor.type, cursor.valueStart, cursor.valueEnd, output, depth + 1);
    }
    if (separator === 0x7b) output.writeByte(separator);
    output.writeByte(0x7d);
  }

  /**
   * The names in an array are its indices, or should be: only the order of its elements counts, as in
   * MongoDB.
   */
  private writeArray(source: BsonBytes, start: number, end: number, output: Output, depth: number): void {
    const cursor = this.cursorAt(depth, start);
    cursor.open(source.view, start, end);
    let separator = 0x5b;
    while (cursor.next(null)) {
      output.writeByte(separator);
      separator = 0x2c;
      this.writeValue(source, cursor.type, cursor.valueStart, cursor.valueEnd, output, depth + 1);
    }
    if (separator === 0x5b) output.writeByte(separator);
    output.writeByte(0x5d);
  }

  private cursorAt(depth: number, start: number): ElementCursor {
    const known = this.cursors[depth];
    if (known !== undefined) return known;
    if (depth >= MAX_JSON_DEPTH) {
      throw new DocumentError(
        'too_deep',
        `more than ${MAX_JSON_DEPTH} levels of documents and arrays`,
        start,
      );
    }
    const cursor = new ElementCursor();
    this.cursors[depth] = cursor;
    return cursor;
  }

  /** NaN, infinities and -0 are no JSON numbers, or no jsonb ones, in either style. */
  private writeDouble(value: number, output: Output): void {
    const isNegativeZero = Object.is(value, -0);
    if (this.isRelaxed && Number.isFinite(value) && !isNegativeZero) {
      writeNumber(value, output);
      return;
    }
    writeLiteral(text.numberDouble, output);
    const shown = isNegativeZero ? '-0.0' : Number.isInteger(value) ? value.toFixed(1) : value.toString();
    output.writeAscii(shown);
    writeLiteral(text.endQuoted, output);
  }

  private writeDate(view: DataView, start: number, output: Output): void {
    writeLiteral(text.date, output);
    const epochMs = readInt64(view, start);
    if (this.isRelaxed && epochMs >= 0 && epochMs < YEAR_10000_MS) {
      output.writeByte(0x22);
      writeIsoDate(epochMs, output);
      writeLiteral(text.endQuoted, output);
    } else {
      writeNumberLong(view, start, output);
      writeLiteral(text.end, output);
    }
  }
}

function writeNumberLong(view: DataView, start: number, output: Output): void {
  writeLiteral(text.numberLong, output);
  writeInt64(view, start, output);
  writeLiteral(text.endQuoted, output);
}

/** Writes twelve bytes as 24 lower-case digits. */
export function writeHex(view: DataView, start: number, output: Output): void {
  output.reserve(24);
  const { bytes } = output;
  let at = output.position;
  for (let i = start; i < start + 12; i++) {
    const byte = view.getUint8(i);
    bytes[at++] = hexDigit(byte >>> 4);
    bytes[at++] = hexDigit(byte & 15);
  }
  output.position = at;
}

function writeObjectId(view: DataView, start: number, output: Output): void {
  writeLiteral(text.objectId, output);
  writeHex(view, start, output);
  writeLiteral(text.endQuoted, output);
}

function writeBinary(source: BsonBytes, start: number, end: number, output: Output): void {
  const subtype = source.view.getUint8(start + 4);
  const contentStart = start + (subtype === OLD_BINARY_SUBTYPE ? 9 : 5);
  writeLiteral(text.binary, output);
  output.writeAscii(source.bytes.toString('base64', contentStart, end));
  writeLiteral(text.binarySubtype, output);
  output.writeByte(hexDigit(subtype >>> 4));
  output.writeByte(hexDigit(subtype & 15));
  writeLiteral(text.endQuoted, output);
  writeLiteral(text.end, output);
}

/**
 * The options keep their order: sorting them is what the specification asks of whoever stores a regular
 * expression.
 */
function writeRegex(source: BsonBytes, start: number, end: number, output: Output): void {
  const patternEnd = source.bytes.indexOf(0, start);
  writeLiteral(text.regex, output);
  writeJsonString(source, start, patternEnd, output);
  writeLiteral(text.regexOptions, output);
  writeJsonString(source, patternEnd + 1, end - 1, output);
  writeLiteral(text.endEnd, output);
}

/** Short enough that a loop is faster than a native copy. */
function writeLiteral(literal: DataView, output: Output): void {
  const length = literal.byteLength;
  output.reserve(length);
  const { bytes, position } = output;
  for (let i = 0; i < length; i++) bytes[position + i] = literal.getUint8(i);
  output.position = position + length;
}

function ascii(literal: string): DataView {
  const bytes = new TextEncoder().encode(literal);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const text = {
  true: ascii('true'),
  false: ascii('false'),
  null: ascii('null'),
  undefined: ascii('{"$undefined":true}'),
  minKey: ascii('{"$minKey":1}'),
  maxKey: ascii('{"$maxKey":1}'),
  objectId: ascii('{"$oid":"'),
  date: ascii('{"$date":'),
  numberInt: ascii('{"$numberInt":"'),
  numberLong: ascii('{"$numberLong":"'),
  numberDouble: ascii('{"$numberDouble":"'),
  numberDecimal: ascii('{"$numberDecimal":"'),
  symbol: ascii('{"$symbol":'),
  code: ascii('{"$code":'),
  codeScope: ascii(',"$scope":'),
  binary: ascii('{"$binary":{"base64":"'),
  binarySubtype: ascii('","subType":"'),
  timestamp: ascii('{"$timestamp":{"t":'),
  timestampOrdinal: ascii(',"i":'),
  regex: ascii('{"$regularExpression":{"pattern":'),
  regexOptions: ascii(',"options":'),
  dbPointer: ascii('{"$dbPointer":{"$ref":'),
  dbPointerId: ascii(',"$id":'),
  end: ascii('}'),
  endEnd: ascii('}}'),
  endQuoted: ascii('"}'),
};
