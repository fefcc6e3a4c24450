/** The buffer for rows. It grows as needed, and is reused for the next batch. */

import { DocumentError } from './document-error.ts';

/** Large enough for the rows of a page of small documents, so that it seldom grows. */
const defaultBytes = 1024 * 1024;

/**
 * A buffer up to this size is always kept: pages are limited to 16 MB, and rows have about the same size.
 */
const keptBytes = 32 * 1024 * 1024;

export class Output {
  bytes: Buffer;
  view: DataView;
  position = 0;
  /** No row may extend beyond this offset; see `checkLimit`. */
  limit = Number.MAX_SAFE_INTEGER;

  constructor(initialBytes = defaultBytes) {
    this.bytes = Buffer.allocUnsafeSlow(initialBytes);
    this.view = viewOf(this.bytes);
  }

  /**
   * Clears it for the next batch. A large buffer that was hardly used, which an exceptionally large batch has left, is
   * replaced by a smaller one.
   */
  reset(): void {
    if (this.bytes.length > keptBytes && this.position < this.bytes.length / 4) this.#replace(keptBytes);
    this.position = 0;
    this.limit = Number.MAX_SAFE_INTEGER;
  }

  /**
   * Makes room for `size` bytes at `position`. It may replace `bytes` and `view`, so read them afterwards.
   */
  reserve(size: number): void {
    if (size > this.bytes.length - this.position) this.#grow(size);
  }

  /** Removes what was written from `start` on, and returns it. It is valid until the next write. */
  takeFrom(start: number): Buffer {
    const taken = this.bytes.subarray(start, this.position);
    this.position = start;
    return taken;
  }

  /** @throws DocumentError if more was written than the limit allows */
  checkLimit(): void {
    if (this.position > this.limit) throw tooLargeError();
  }

  writeBytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.position);
    this.position += bytes.length;
  }

  /** Writes ASCII text. */
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
    // Checked before memory is allocated for such a row.
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
  return new DocumentError('too_large', 'up to this column, the row has more bytes than Postgres allows');
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
