/** The buffer that rows are written to: it grows as needed and is used again for the next batch. */

import { DocumentError } from './document-error.ts';

/** Rows of one page of small documents fit, so that most runs never grow it. */
const defaultBytes = 1024 * 1024;

/**
 * A buffer up to this size is kept whatever was used of it: pages are cut at 16 MB, and rows are about as
 * long.
 */
const keptBytes = 32 * 1024 * 1024;

export class Output {
  bytes: Buffer;
  view: DataView;
  position = 0;
  /** No row may reach beyond this offset; see `checkLimit`. */
  limit = Number.MAX_SAFE_INTEGER;

  constructor(initialBytes = defaultBytes) {
    this.bytes = Buffer.allocUnsafeSlow(initialBytes);
    this.view = viewOf(this.bytes);
  }

  /**
   * Starts over. Gives back a large buffer that was hardly used, as a batch far larger than the others leaves
   * it.
   */
  reset(): void {
    if (this.bytes.length > keptBytes && this.position < this.bytes.length / 4) this.#replace(keptBytes);
    this.position = 0;
    this.limit = Number.MAX_SAFE_INTEGER;
  }

  /**
   * Makes sure that `size` bytes can be written at `position`. Callers take `bytes` and `view` after it, not
   * before.
   */
  reserve(size: number): void {
    if (size > this.bytes.length - this.position) this.#grow(size);
  }

  /** Throws a DocumentError if more was written than the limit allows. */
  checkLimit(): void {
    if (this.position > this.limit) throw tooLargeError();
  }

  writeBytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** Writes text of which each character is ASCII. */
  writeAscii(text: string): void {
    this.reserve(text.length);
    this.position += this.bytes.write(text, this.position, 'latin1');
  }

  writeByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.position++] = byte;
  }

  writeInt16(value: number): void {
    this.reserve(2);
    this.view.setInt16(this.position, value);
    this.position += 2;
  }

  writeInt32(value: number): void {
    this.reserve(4);
    this.view.setInt32(this.position, value);
    this.position += 4;
  }

  #grow(size: number): void {
    const needed = this.position + size;
    // Before the memory is taken that such a row would need.
    if (needed > this.limit) throw tooLargeError();
    let length = this.bytes.length;
    while (length < needed) length *= 2;
    const written = this.bytes.subarray(0, this.position);
    this.#replace(length);
    this.bytes.set(written);
  }

  #replace(length: number): void {
    this.bytes = Buffer.allocUnsafeSlow(length);
    this.view = viewOf(this.bytes);
  }
}

function tooLargeError(): DocumentError {
  return new DocumentError('too_large', 'up to this column the row has more bytes than Postgres takes');
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
