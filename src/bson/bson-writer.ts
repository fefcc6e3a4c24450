/** Writes BSON into a growing buffer. The length of a document is filled in at its end. */

import { wrapBytes } from './cursor.ts';
import { bsonTypes } from './types.ts';

const initialBytes = 64 * 1024;
/** A larger buffer is not kept for the next batch. */
const keptBytes = 32 * 1024 * 1024;
/** Up to here a loop is faster than a call of Node's own code. */
const shortLength = 32;

export class BsonWriter {
  position = 0;
  #bytes = Buffer.allocUnsafeSlow(initialBytes);
  #view = wrapBytes(this.#bytes).view;

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Of the same bytes. */
  get view(): DataView {
    return this.#view;
  }

  reset(): void {
    if (this.#bytes.length > keptBytes) this.#replace(Buffer.allocUnsafeSlow(initialBytes));
    this.position = 0;
  }

  writeByte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.position++] = byte;
  }

  writeInt32(value: number): void {
    this.#reserve(4);
    this.#view.setInt32(this.position, value, true);
    this.position += 4;
  }

  writeInt64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigInt64(this.position, value, true);
    this.position += 8;
  }

  writeDouble(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.position, value, true);
    this.position += 8;
  }

  writeBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#bytes.set(bytes, this.position);
    this.position += bytes.byteLength;
  }

  /** Writes the bytes from `start` to `end`. */
  writeRange(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > shortLength) {
      this.writeBytes(bytes.subarray(start, end));
      return;
    }
    this.#reserve(end - start);
    const target = this.#bytes;
    let { position } = this;
    for (let at = start; at < end; at++) target[position++] = bytes[at] ?? 0;
    this.position = position;
  }

  /** Writes a string with its length and its terminating NUL. */
  writeString(text: string): void {
    this.writeInt32(0);
    const start = this.position;
    this.#writeText(text);
    this.writeByte(0);
    this.#view.setInt32(start - 4, this.position - start, true);
  }

  /** @param name has no NUL */
  beginElement(type: number, name: string): void {
    this.writeByte(type);
    this.#writeText(name);
    this.writeByte(0);
  }

  /** Begins a document as an element of an array, with an empty name. @returns its offset, for `endDocument` */
  beginListed(): number {
    this.writeByte(bsonTypes.object);
    this.writeByte(0);
    return this.beginDocument();
  }

  /** @returns its offset, for `endDocument` */
  beginDocument(): number {
    const start = this.position;
    this.writeInt32(0);
    return start;
  }

  endDocument(start: number): void {
    this.writeByte(0);
    this.#view.setInt32(start, this.position - start, true);
  }

  #writeText(text: string): void {
    this.#reserve(text.length * 3);
    if (text.length <= shortLength && this.#writeAscii(text)) return;
    this.position += this.#bytes.write(text, this.position, 'utf8');
  }

  /** @returns false, with nothing written, if not all of it is ASCII */
  #writeAscii(text: string): boolean {
    const target = this.#bytes;
    const { position } = this;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      target[position + index] = code;
    }
    this.position = position + text.length;
    return true;
  }

  #reserve(size: number): void {
    const needed = this.position + size;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.position));
    this.#replace(larger);
  }

  #replace(bytes: Buffer<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = wrapBytes(bytes).view;
  }
}
