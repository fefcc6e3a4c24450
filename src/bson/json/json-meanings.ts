/**
 * Finds the BSON values that a value of jsonb may have been. There may be several: in relaxed style, 5, NumberLong(5) and 5.0
 * look the same, and in plain style a date looks like a string.
 */

import { isDeepStrictEqual } from 'node:util';
import { Decimal128 } from 'bson';
import { type BsonValue, doubleOf, textOf } from '../build.ts';
import { wrapBytes } from '../cursor.ts';
import { Output } from '../output.ts';
import { bsonTypes } from '../types.ts';
import type { JsonStyle } from './json-style.ts';
import { isWrapperName, readWrapper } from './json-wrappers.ts';
import { JsonToBson } from './json-to-bson.ts';
import { JsonWriter } from './json-writer.ts';

/** A possible BSON value. A document or an array has only its type, and no bytes. */
export interface Meaning extends BsonValue {
  /**
   * `rare`: a symbol, which no driver writes any more. `freak`: a document whose field names are those of Extended JSON, so
   * that it cannot be distinguished.
   */
  readonly likelihood?: 'rare' | 'freak';
}

const noBytes = Buffer.alloc(0);

/** Reads values that a JsonWriter of the style has written to jsonb, which changes white space and the order of keys. */
export class JsonMeanings {
  readonly #style: JsonStyle;
  readonly #writer: JsonWriter;
  readonly #output = new Output(1024);

  constructor(style: JsonStyle) {
    this.#style = style;
    this.#writer = new JsonWriter({ style, nul: 'escape', keepsOrder: false });
  }

  /**
   * @param json the text of a value, as Postgres formats it
   * @returns the most likely value first; empty if no value is written like this
   */
  list(json: string): Meaning[] {
    switch (json.charAt(0)) {
      case '{':
        return this.#listObject(json);
      case '[':
        return [{ type: bsonTypes.array, bytes: noBytes }];
      case '"':
        return this.#listText(json);
      case 't':
      case 'f':
        return [{ type: bsonTypes.bool, bytes: Buffer.of(json === 'true' ? 1 : 0) }];
      case 'n':
        return [{ type: bsonTypes.null, bytes: noBytes }];
      default:
        return this.#style === 'canonical' ? [] : listNumbers(json, this.#style === 'plain');
    }
  }

  #listObject(json: string): Meaning[] {
    const document: Meaning = { type: bsonTypes.object, bytes: noBytes };
    const name = /^\{\s*"(\$\w+)"/.exec(json)?.[1];
    if (name === undefined || !isWrapperName(name)) return [document];
    const value = readValue(json);
    // A reader accepts more forms than are written.
    if (value === null || !this.#isWrittenAs(value, json)) return [document];
    return [value, { ...document, likelihood: 'freak' }];
  }

  #listText(json: string): Meaning[] {
    const text = JSON.parse(json) as string;
    const meanings: Meaning[] = [textOf(text)];
    if (this.#style !== 'plain') return meanings;
    const others = [...listPlainWrappers(text)].filter((value) => this.#isWrittenAs(value, json));
    return [...meanings, ...others, { ...textOf(text), type: bsonTypes.symbol, likelihood: 'rare' }];
  }

  #isWrittenAs({ type, bytes }: BsonValue, json: string): boolean {
    // Skipped: its scope may be any document, and no column has this type.
    if (type === bsonTypes.javascriptWithScope) return true;
    const output = this.#output;
    output.reset();
    this.#writer.writeValue(wrapBytes(bytes), type, 0, bytes.byteLength, output);
    const written = output.bytes.toString('utf8', 0, output.position);
    return isDeepStrictEqual(JSON.parse(written), JSON.parse(json));
  }
}

/** The values that plain style writes as this text. */
function* listPlainWrappers(text: string): Generator<BsonValue> {
  const forms = [
    [/^[0-9a-f]{24}$/, { $oid: text }],
    [/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, { $uuid: text }],
    [/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$/, { $date: text }],
  ] as const;
  for (const [pattern, wrapper] of forms) {
    const value = pattern.test(text) ? readValue(JSON.stringify(wrapper)) : null;
    if (value !== null) yield value;
  }
}

/** Null for an ordinary object. */
function readValue(json: string): BsonValue | null {
  try {
    return readWrapper(Buffer.from(json), 0, (scope) => new JsonToBson().convert(scope));
  } catch {
    // A document with such names, but with other values.
    return null;
  }
}

function listNumbers(digits: string, isPlain: boolean): Meaning[] {
  const meanings: Meaning[] = [];
  if (!digits.includes('.')) {
    const integer = BigInt(digits);
    for (const bits of [32, 64] as const) {
      if (BigInt.asIntN(bits, integer) === integer) meanings.push(integerOf(integer, bits));
    }
  }
  const double = Number(digits);
  if (Number.isFinite(double) && expandDigits(double) === digits) meanings.push(doubleOf(double));
  const decimal = isPlain ? readDecimal(digits) : null;
  if (decimal !== null) meanings.push(decimal);
  return meanings;
}

function integerOf(integer: bigint, bits: 32 | 64): BsonValue {
  const bytes = Buffer.alloc(bits / 8);
  if (bits === 32) bytes.writeInt32LE(Number(integer));
  else bytes.writeBigInt64LE(integer);
  return { type: bits === 32 ? bsonTypes.int : bsonTypes.long, bytes };
}

/** A number in the format of jsonb, without an exponent: `1e-7` becomes `0.0000001`. */
function expandDigits(double: number): string {
  const [, sign = '', whole = '', places = '', exponent] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(double)) ?? [];
  if (exponent === undefined) return String(double);
  const point = whole.length + Number(exponent);
  const digits = whole + places;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return `${sign}${digits.padEnd(point, '0')}`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Null if it has more digits than a Decimal128. */
function readDecimal(digits: string): BsonValue | null {
  const [, head = '', zeros = ''] = /^(-?\d*?[1-9])(0*)$/.exec(digits) ?? [];
  const text = head === '' ? digits : `${head}E${zeros.length}`;
  try {
    return { type: bsonTypes.decimal, bytes: Decimal128.fromString(text).bytes };
  } catch {
    return null;
  }
}
