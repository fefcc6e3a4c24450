/** Writes BSON into a growing buffer. The length of a document is filled in at its end. */

import { bsonTypes } from './types.ts';

const initialBytes = 64 * 1024;
/** A larger buffer is not kept for the next batch. */
const keptBytes = 32 * 1024 * 1024;

export class BsonWriter {
  bytes = Buffer.allocUnsafeSlow(initialBytes);
  position = 0;

  reset(): void {
    if (this.bytes.length > keptBytes) this.bytes = Buffer.allocUnsafeSlow(initialBytes);
    this.position = 0;
  }

  writeByte(byte: number): void {
    this.#reserve(1);
    this.bytes[this.position++] = byte;
  }

  writeInt32(value: number): void {
    this.#reserve(4);
    this.position = this.bytes.writeInt32LE(value, this.position);
  }

  writeInt64(value: bigint): void {
    this.#reserve(8);
    this.position = this.bytes.writeBigInt64LE(value, this.position);
  }

  writeDouble(value: number): void {
    this.#reserve(8);
    this.position = this.bytes.writeDoubleLE(value, this.position);
  }

  writeBytes(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.bytes.set(bytes, this.position);
    this.position += bytes.byteLength;
  }

  /** Writes a string with its length and its terminating NUL. */
  writeString(text: string): void {
    this.writeInt32(0);
    const start = this.position;
    this.#writeText(text);
    this.writeByte(0);
    this.bytes.writeInt32LE(this.position - start, start - 4);
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
    this.bytes.writeInt32LE(this.position - start, start);
  }

  #writeText(text: string): void {
    this.#reserve(text.length * 3);
    this.position += this.bytes.write(text, this.position, 'utf8');
  }

  #reserve(size: number): void {
    const needed = this.position + size;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.position));
    this.bytes = larger;
  }
}
