/**
 * Converts a document in Extended JSON, of version 1 or 2, into BSON. Not by way of a JavaScript object, which would lose an
 * int64, a double 1.0, the order of fields called `2` and `1`, and a second field of the same name.
 * https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/
 */

import { isUtf8 } from 'node:buffer';
import { bsonTypes } from '../types.ts';
import { Output } from '../output.ts';
import { isWrapperName, readWrapper } from './json-wrappers.ts';
import { JsonError } from './json-error.ts';
import { skipSpace, skipValue } from './json-scan.ts';

/** MongoDB allows 100 levels. A limit, so that hostile text cannot exhaust the stack. */
const maxDepth = 200;

const initialBytes = 4096;
const numberPattern = /^-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
const quote = 0x22;
const backslash = 0x5c;
const [zero, nine] = [0x30, 0x39];
const byteOf = (char: string): number => char.charCodeAt(0);

export class JsonToBson {
  readonly #output = new Output(initialBytes);
  #json: Buffer = Buffer.alloc(0);
  #at = 0;

  /** @param json exactly one object @throws JsonError with the offset in it */
  convert(json: Buffer): Buffer {
    if (!isUtf8(json)) throw new JsonError('it is not UTF-8', 0);
    this.#output.reset();
    this.#json = json;
    this.#at = 0;
    if (this.#next() !== byteOf('{')) throw new JsonError('a document must begin here, with {', this.#at);
    this.#writeDocument(0);
    if (this.#next() !== undefined) throw new JsonError('the document should have ended here', this.#at);
    return Buffer.from(this.#output.bytes.subarray(0, this.#output.position));
  }

  /** The next byte after white space. */
  #next(): number | undefined {
    this.#at = skipSpace(this.#json, this.#at);
    return this.#json[this.#at];
  }

  #expect(char: string): void {
    if (this.#next() !== byteOf(char)) throw new JsonError(`${char} must come here`, this.#at);
    this.#at++;
  }

  /** Skips a comma. @returns false at the end of an object or array */
  #hasMore(end: string, isFirst: boolean): boolean {
    if (this.#next() === byteOf(end)) {
      this.#at++;
      return false;
    }
    if (!isFirst) this.#expect(',');
    return true;
  }

  #writeDocument(depth: number): void {
    const start = this.#open(depth);
    this.#at++;
    for (let isFirst = true; this.#hasMore('}', isFirst); isFirst = false) {
      this.#next();
      const nameAt = this.#at;
      const name = this.#readString();
      if (name.includes(0)) throw new JsonError('a name has U+0000, which BSON cannot have', nameAt);
      this.#expect(':');
      this.#writeElement(name, depth);
    }
    this.#close(start);
  }

  #writeArray(depth: number): void {
    const start = this.#open(depth);
    this.#at++;
    for (let index = 0; this.#hasMore(']', index === 0); index++) {
      this.#writeElement(Buffer.from(String(index), 'latin1'), depth);
    }
    this.#close(start);
  }

  #open(depth: number): number {
    if (depth > maxDepth) throw new JsonError(`it is nested more than ${maxDepth} levels deep`, this.#at);
    const start = this.#output.position;
    this.#output.reserve(4);
    this.#output.position += 4;
    return start;
  }

  #close(start: number): void {
    const output = this.#output;
    output.writeByte(0);
    output.bytes.writeInt32LE(output.position - start, start);
  }

  #writeElement(name: Uint8Array, depth: number): void {
    const output = this.#output;
    const typeAt = output.position;
    output.writeByte(0);
    output.writeBytes(name);
    output.writeByte(0);
    const type = this.#writeValue(depth + 1);
    // Not before: the buffer may have grown.
    output.bytes[typeAt] = type;
  }

  /** @returns the type that was written */
  #writeValue(depth: number): number {
    switch (this.#next()) {
      case byteOf('{'):
        return this.#writeWrapper() ?? (this.#writeDocument(depth), bsonTypes.object);
      case byteOf('['):
        this.#writeArray(depth);
        return bsonTypes.array;
      case quote: {
        const text = this.#readString();
        this.#writeInt32(text.byteLength + 1);
        this.#output.writeBytes(text);
        this.#output.writeByte(0);
        return bsonTypes.string;
      }
      case undefined:
      default:
        return this.#writeWord();
    }
  }

  /** The value of an object such as `{"$oid": …}`; null for an ordinary object. */
  #writeWrapper(): number | null {
    const json = this.#json;
    const nameAt = skipSpace(json, this.#at + 1);
    if (json[nameAt] !== quote || json[nameAt + 1] !== byteOf('$')) return null;
    const nameEnd = json.indexOf(quote, nameAt + 1);
    if (!isWrapperName(json.toString('latin1', nameAt + 1, nameEnd))) return null;
    const end = skipValue(json, this.#at);
    const value = readWrapper(json.subarray(this.#at, end), this.#at, (scope) =>
      new JsonToBson().convert(scope),
    );
    if (value === null) return null;
    this.#output.writeBytes(value.bytes);
    this.#at = end;
    return value.type;
  }

  /** A number, true, false or null; also NaN and the infinities, as old versions of mongoexport wrote them. */
  #writeWord(): number {
    const start = this.#at;
    const digits = this.#readDigits();
    if (digits >= 0) {
      this.#writeInt32(digits);
      return bsonTypes.int;
    }
    while (isWordByte(this.#json[this.#at])) this.#at++;
    const word = this.#json.toString('latin1', start, this.#at);
    switch (word) {
      case 'null':
        return bsonTypes.null;
      case 'true':
      case 'false':
        this.#output.writeByte(word === 'true' ? 1 : 0);
        return bsonTypes.bool;
      case 'NaN':
      case 'Infinity':
      case '-Infinity':
        return this.#writeDouble(Number(word));
    }
    const match = numberPattern.exec(word);
    if (match === null) throw new JsonError('a value must come here', start);
    const number = Number(word);
    if (match[1] !== undefined || match[2] !== undefined) {
      if (!Number.isFinite(number)) throw new JsonError(`no double is as great as ${word}`, start);
      return this.#writeDouble(number);
    }
    if (number >= -0x8000_0000 && number <= 0x7fff_ffff) {
      this.#writeInt32(number);
      return bsonTypes.int;
    }
    const integer = BigInt(word);
    if (BigInt.asIntN(64, integer) !== integer) return this.#writeDouble(number);
    this.#output.reserve(8);
    this.#output.position = this.#output.bytes.writeBigInt64LE(integer, this.#output.position);
    return bsonTypes.long;
  }

  /** Fast path for small non-negative integers; -1 for any other number. */
  #readDigits(): number {
    const json = this.#json;
    let at = this.#at;
    let value = 0;
    for (let byte = json[at] ?? 0; byte >= zero && byte <= nine; byte = json[++at] ?? 0) {
      value = value * 10 + byte - zero;
    }
    const count = at - this.#at;
    const hasLeadingZero = count > 1 && json[this.#at] === zero;
    if (count === 0 || count > 9 || hasLeadingZero || isWordByte(json[at])) return -1;
    this.#at = at;
    return value;
  }

  #writeInt32(value: number): void {
    this.#output.reserve(4);
    this.#output.position = this.#output.bytes.writeInt32LE(value, this.#output.position);
  }

  #writeDouble(value: number): number {
    this.#output.reserve(8);
    this.#output.position = this.#output.bytes.writeDoubleLE(value, this.#output.position);
    return bsonTypes.double;
  }

  /** @returns its bytes in UTF-8, without the quotes */
  #readString(): Uint8Array {
    const json = this.#json;
    if (json[this.#at] !== quote) throw new JsonError('a name in double quotes must come here', this.#at);
    const start = this.#at + 1;
    let end = start;
    let isEscaped = false;
    for (let byte = json[end]; byte !== quote; byte = json[end]) {
      if (byte === undefined) throw new JsonError('a text has no end', this.#at);
      if (byte < 0x20) throw new JsonError('a text has a control character, which must be escaped', end);
      if (byte === backslash) isEscaped = true;
      end += byte === backslash ? 2 : 1;
    }
    this.#at = end + 1;
    if (!isEscaped) return json.subarray(start, end);
    return unescape(json.toString('utf8', start - 1, end + 1), start - 1);
  }
}

function unescape(quoted: string, at: number): Uint8Array {
  let text: string;
  try {
    text = JSON.parse(quoted) as string;
  } catch {
    throw new JsonError('a text has an escape that JSON does not know', at);
  }
  // Half of a surrogate pair cannot be encoded in UTF-8, and would become another character.
  if (/\p{Surrogate}/u.test(text)) throw new JsonError('a text has half of a surrogate pair', at);
  return Buffer.from(text);
}

function isWordByte(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
  return isLetter || (byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2d || byte === 0x2e;
}
