/** Keeps documents' bytes one after another in large buffers, so that a document costs no object of its own. */

/**
 * Address space of one chunk. It exceeds every chunk's capacity, so that two documents whose addresses follow on
 * each other lie side by side in one buffer.
 */
const chunkSpan = 2 ** 25;
/** Small at first, for the many collections that stay small; then doubled up to half the span. */
const firstChunkBytes = 2 ** 14;
const maxChunkBytes = 2 ** 24;

/** Where a document lies: the number of its chunk times the span, plus its offset there. */
export type Address = number;

export class DocumentHeap {
  readonly #chunks: Buffer[] = [];
  #lastUsedBytes = 0;
  /** Bytes of all documents ever appended. */
  appendedBytes = 0;

  /** Copies the document [start, end) of `bytes` to the end of the heap. */
  append(bytes: Buffer, start: number, end: number): Address {
    const length = end - start;
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || this.#lastUsedBytes + length > chunk.length) {
      const doubled = chunk === undefined ? firstChunkBytes : Math.min(chunk.length * 2, maxChunkBytes);
      chunk = Buffer.allocUnsafeSlow(Math.max(doubled, length));
      this.#chunks.push(chunk);
      this.#lastUsedBytes = 0;
    }
    const offset = this.#lastUsedBytes;
    bytes.copy(chunk, offset, start, end);
    this.#lastUsedBytes += length;
    this.appendedBytes += length;
    return (this.#chunks.length - 1) * chunkSpan + offset;
  }

  /** The buffer that holds the document at `address`. */
  chunkOf(address: Address): Buffer {
    const chunk = this.#chunks[Math.floor(address / chunkSpan)];
    if (chunk === undefined) {
      throw new RangeError(`no document at address ${address}`);
    }
    return chunk;
  }

  /** The document's offset in its chunk. */
  offsetOf(address: Address): number {
    return address % chunkSpan;
  }
}
