/**
 * A sample of a stream of unknown length, each of its items as likely as any other, in the order of the stream.
 * https://en.wikipedia.org/wiki/Reservoir_sampling
 */

/** What a sample holds in memory at most; it is made smaller for it, and no less random. */
const maxBytes = 64_000_000;

export class Reservoir {
  #room: number;
  #seen = 0;
  #bytes = 0;
  #kept: { readonly index: number; readonly bytes: Buffer }[] = [];
  /** Always the same sequence, so that the same dump gives the same plan. */
  readonly #random = createRandom(1);

  constructor(size: number) {
    this.#room = size;
  }

  /** How many items there were. */
  get seen(): number {
    return this.#seen;
  }

  add(bytes: Buffer): void {
    const index = this.#seen++;
    const place = index < this.#room ? this.#kept.length : Math.floor(this.#random() * this.#seen);
    if (place >= this.#room) return;
    this.#bytes += bytes.byteLength - (this.#kept[place]?.bytes.byteLength ?? 0);
    // A copy, so that it does not keep all that was read with it in memory.
    this.#kept[place] = { index, bytes: Buffer.from(bytes) };
    while (this.#bytes > maxBytes && this.#kept.length > 1) this.#drop();
  }

  get items(): Buffer[] {
    return this.#kept.sort((a, b) => a.index - b.index).map(({ bytes }) => bytes);
  }

  #drop(): void {
    const [dropped] = this.#kept.splice(Math.floor(this.#random() * this.#kept.length), 1);
    this.#bytes -= dropped?.bytes.byteLength ?? 0;
    this.#room = this.#kept.length;
  }
}

/** Mulberry32: from 0 to below 1. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
