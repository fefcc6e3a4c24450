/** A window over a stream of chunks: as many bytes in one piece as its reader asks for. */

export class ByteWindow {
  /** Never changed once they are here: parts of them may be kept. */
  bytes: Buffer = Buffer.alloc(0);
  /** What lies before it was read. */
  start = 0;
  readonly #chunks: AsyncIterator<Buffer>;
  #offset: number;

  /** @param offset where the first chunk begins */
  constructor(chunks: AsyncIterator<Buffer>, offset: number) {
    this.#chunks = chunks;
    this.#offset = offset;
  }

  /** How many bytes are there to be read. */
  get available(): number {
    return this.bytes.byteLength - this.start;
  }

  /** The offset in the whole of the stream of a byte of `bytes`. */
  offsetOf(index: number): number {
    return this.#offset + index;
  }

  get offset(): number {
    return this.offsetOf(this.start);
  }

  /** Waits until `count` bytes are there; false when the stream ends before. */
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

  /** To be called when nothing more is read. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
