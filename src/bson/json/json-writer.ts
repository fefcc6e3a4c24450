/**
 * Writes BSON values as Extended JSON v2 into the output buffer, without an object per value:
 * https://github.com/mongodb/specifications/blob/master/source/extended-json.md
 *
 * js-bson is not used, because it reads a DBPointer as a DBRef and undefined as null, sorts the options of a regular
 * expression, refuses unknown options, and converts int64s in a scope to numbers.
 */

import { bsonTypes } from '../types.ts';
import { type BsonBytes, ElementCursor } from '../cursor.ts';
import { findScope } from '../values.ts';
import { Decimal, writeDecimal } from '../decimal128.ts';
import { readInt64, writeInt64, writeInteger, writeIsoDate, writeNumber } from '../digits.ts';
import { DocumentError } from '../document-error.ts';
import { writeHex, writeUuid } from '../hex.ts';
import { text, writeLiteral } from './json-literals.ts';
import { writeJsonString } from './json-string.ts';
import * as values from './json-values.ts';
import type { Output } from '../output.ts';
import type { JsonStyle } from './json-style.ts';
import type { NulPolicy } from '../nul-policy.ts';
import { isUuid } from '../binary.ts';

/**
 * MongoDB allows 100 levels. A limit, so that a hostile document cannot exhaust the stack here or in Postgres.
 */
export const maxJsonDepth = 200;

/** 0001-01-01T00:00:00Z: Postgres has no year 0. */
const year1Ms = -62_135_596_800_000;
/** 10000-01-01T00:00:00Z: from here on, the year has more than four digits. */
const year10000Ms = 253_402_300_800_000;

export interface JsonOptions {
  readonly style: JsonStyle;
  /** `escape` is for text that is not stored in Postgres. */
  readonly nul: NulPolicy | 'escape';
  /**
   * Whether documents that differ only in the order of keys must stay different in jsonb, which does not keep the order. A
   * document with more than one key then becomes `{"$document": [[key, value], …]}`; so does one that looks like Extended
   * JSON.
   */
  readonly keepsOrder: boolean;
}

export class JsonWriter {
  readonly #isCanonical: boolean;
  readonly #isPlain: boolean;
  readonly #keepsOrder: boolean;
  readonly #nul: NulPolicy | 'escape';
  /** The first date that is written as ISO text: the epoch in relaxed Extended JSON. */
  readonly #firstIsoMs: number;
  readonly #decimal = new Decimal();
  /** One cursor for each nesting level. */
  readonly #cursors: ElementCursor[] = [];

  constructor({ style, nul, keepsOrder }: JsonOptions) {
    this.#isCanonical = style === 'canonical';
    this.#isPlain = style === 'plain';
    this.#firstIsoMs = style === 'plain' ? year1Ms : 0;
    this.#nul = nul;
    this.#keepsOrder = keepsOrder;
  }

  /**
   * Writes the value that an ElementCursor has found. After an error, part of it may be written.
   * @throws BsonError if a nested document is corrupt
   * @throws DocumentError if Postgres cannot store the text
   */
  writeValue(source: BsonBytes, type: number, start: number, end: number, output: Output, depth = 0): void {
    const { view } = source;
    switch (type) {
      case bsonTypes.string:
        writeJsonString(source, start + 4, end - 1, output, this.#nul);
        break;
      case bsonTypes.int:
        if (this.#isCanonical) values.writeNumberInt(view, start, output);
        else writeInteger(view.getInt32(start, true), output);
        break;
      case bsonTypes.long:
        if (this.#isCanonical) values.writeNumberLong(view, start, output);
        else writeInt64(view, start, output);
        break;
      case bsonTypes.double:
        this.#writeDouble(view.getFloat64(start, true), output);
        break;
      case bsonTypes.object:
        this.#writeDocument(source, start, end, output, depth);
        break;
      case bsonTypes.array:
        this.#writeArray(source, start, end, output, depth);
        break;
      case bsonTypes.objectId:
        if (this.#isPlain) writePlainObjectId(view, start, output);
        else values.writeObjectId(view, start, output);
        break;
      case bsonTypes.bool:
        writeLiteral(view.getUint8(start) === 1 ? text.true : text.false, output);
        break;
      case bsonTypes.date:
        this.#writeDate(view, start, output);
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
        if (!this.#isPlain) writeLiteral(text.symbol, output);
        writeJsonString(source, start + 4, end - 1, output, this.#nul);
        if (!this.#isPlain) writeLiteral(text.end, output);
        break;
      case bsonTypes.decimal:
        this.#writeDecimal(view, start, output);
        break;
      case bsonTypes.binData:
        if (this.#isPlain && isUuid(source, start, end)) writePlainUuid(view, start, output);
        else values.writeBinary(source, start, end, output);
        break;
      case bsonTypes.timestamp:
        values.writeTimestamp(view, start, output);
        break;
      case bsonTypes.regex:
        values.writeRegex(source, start, end, output);
        break;
      case bsonTypes.dbPointer:
        values.writeDbPointer(source, start, end, output, this.#nul);
        break;
      case bsonTypes.javascript:
        writeLiteral(text.code, output);
        writeJsonString(source, start + 4, end - 1, output, this.#nul);
        writeLiteral(text.end, output);
        break;
      case bsonTypes.javascriptWithScope:
        this.#writeCodeWithScope(source, start, end, output, depth);
        break;
      default:
        throw new RangeError(`0x${type.toString(16)} is not a BSON type`);
    }
  }

  #writeDocument(source: BsonBytes, start: number, end: number, output: Output, depth: number): void {
    const cursor = this.#cursorAt(depth, start);
    if (this.#keepsOrder && needsOrder(cursor, source, start, end)) {
      this.#writeOrdered(source, start, end, output, depth);
      return;
    }
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

  #writeOrdered(source: BsonBytes, start: number, end: number, output: Output, depth: number): void {
    const cursor = this.#cursorAt(depth, start);
    cursor.open(source.view, start, end);
    writeLiteral(text.document, output);
    for (let isFirst = true; cursor.next(null); isFirst = false) {
      if (!isFirst) output.writeByte(0x2c);
      output.writeByte(0x5b);
      writeJsonString(source, cursor.nameStart, cursor.nameEnd, output);
      output.writeByte(0x2c);
      this.writeValue(source, cursor.type, cursor.valueStart, cursor.valueEnd, output, depth + 1);
      output.writeByte(0x5d);
    }
    output.writeByte(0x5d);
    output.writeByte(0x7d);
  }

  /**
   * The names in an array should be its indices. They are ignored, as in MongoDB: only the order of the elements counts.
   */
  #writeArray(source: BsonBytes, start: number, end: number, output: Output, depth: number): void {
    const cursor = this.#cursorAt(depth, start);
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

  #cursorAt(depth: number, start: number): ElementCursor {
    const known = this.#cursors[depth];
    if (known !== undefined) return known;
    if (depth >= maxJsonDepth) {
      throw new DocumentError('too_deep', `more than ${maxJsonDepth} levels of documents and arrays`, start);
    }
    const cursor = new ElementCursor();
    this.#cursors[depth] = cursor;
    return cursor;
  }

  #writeCodeWithScope(source: BsonBytes, start: number, end: number, output: Output, depth: number): void {
    const scopeStart = findScope(source.view, start);
    writeLiteral(text.code, output);
    writeJsonString(source, start + 8, scopeStart - 1, output, this.#nul);
    writeLiteral(text.codeScope, output);
    this.#writeDocument(source, scopeStart, end, output, depth);
    writeLiteral(text.end, output);
  }

  #writeDouble(value: number, output: Output): void {
    if (this.#isCanonical || !Number.isFinite(value) || Object.is(value, -0)) {
      values.writeNumberDouble(value, output);
    } else {
      writeNumber(value, output);
    }
  }

  #writeDecimal(view: DataView, start: number, output: Output): void {
    const decimal = this.#decimal;
    decimal.read(view, start);
    if (this.#isPlain && decimal.kind === 'finite' && !decimal.isNegativeZero()) {
      writeDecimal(decimal, output);
      return;
    }
    writeLiteral(text.numberDecimal, output);
    writeDecimal(decimal, output);
    writeLiteral(text.endQuoted, output);
  }

  #writeDate(view: DataView, start: number, output: Output): void {
    const epochMs = readInt64(view, start);
    const hasIsoText = !this.#isCanonical && epochMs >= this.#firstIsoMs && epochMs < year10000Ms;
    if (!this.#isPlain || !hasIsoText) writeLiteral(text.date, output);
    if (hasIsoText) {
      output.writeByte(0x22);
      writeIsoDate(epochMs, output);
      output.writeByte(0x22);
    } else {
      values.writeNumberLong(view, start, output);
    }
    if (!this.#isPlain || !hasIsoText) writeLiteral(text.end, output);
  }
}

/** Whether the document has several keys, or a key that starts like those of Extended JSON. */
function needsOrder(cursor: ElementCursor, source: BsonBytes, start: number, end: number): boolean {
  cursor.open(source.view, start, end);
  if (!cursor.next(null)) return false;
  const startsWithDollar = source.view.getUint8(cursor.nameStart) === 0x24;
  return startsWithDollar || cursor.next(null);
}

function writePlainObjectId(view: DataView, start: number, output: Output): void {
  output.writeByte(0x22);
  writeHex(view, start, start + 12, output);
  output.writeByte(0x22);
}

function writePlainUuid(view: DataView, start: number, output: Output): void {
  output.writeByte(0x22);
  writeUuid(view, start + 5, output);
  output.writeByte(0x22);
}
