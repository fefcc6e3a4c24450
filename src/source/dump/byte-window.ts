/** A sliding window over a stream of chunks, which provides as many contiguous bytes as its reader asks for. */

export class ByteWindow {
  /** Never overwritten, because records keep parts of it. */
  bytes: Buffer = Buffer.alloc(0);
  /** The index of the next unread byte. */
  start = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  #offset: number;

  /** @param offset the offset of the first chunk in the stream */
  constructor(chunks: AsyncIterator<Buffer>, offset: number) {
    this.#chunks = chunks;
    this.#offset = offset;
  }

  /** The number of unread bytes. */
  get available(): number {
    return this.bytes.byteLength - this.start;
  }

  /** The offset in the stream of an index of `bytes`. */
  offsetOf(index: number): number {
    return this.#offset + index;
  }

  get offset(): number {
    return this.offsetOf(this.start);
  }

  /** Waits until `count` bytes are available. @returns false if the stream ends before */
  async fill(count: number): Promise<boolean> {
    const parts = [this.bytes.subarray(this.start)];
    let total = this.available;
    while (total < count) {
      const next = await this.#chunks.next();
      if (next.done === true) break;
      parts.push(next.value);
      total += next.value.byteLength;
    }
    this.#offset += this.start;
    this.start = 0;
    this.bytes = parts.length === 1 ? (parts[0] ?? this.bytes) : Buffer.concat(parts);
    return total >= count;
  }

  /** Call it when reading is finished. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
