/**
 * A uniform random sample of a stream of unknown length, in the order of the stream.
 * https://en.wikipedia.org/wiki/Reservoir_sampling
 */

import { createRandom } from '../../common/random.ts';

/** The memory limit. Items are dropped at random to keep it, so the sample stays uniform. */
const maxBytes = 64_000_000;

export class Reservoir {
  #room: number;
  #seen = 0;
  #bytes = 0;
  #kept: { readonly index: number; readonly bytes: Buffer }[] = [];
  /** A fixed seed, so that the same dump gives the same plan. */
  readonly #random = createRandom(1);

  constructor(size: number) {
    this.#room = size;
  }

  /** The number of items so far. */
  get seen(): number {
    return this.#seen;
  }

  add(bytes: Buffer): void {
    const index = this.#seen++;
    const place = index < this.#room ? this.#kept.length : this.#random.below(this.#seen);
    if (place >= this.#room) return;
    this.#bytes += bytes.byteLength - (this.#kept[place]?.bytes.byteLength ?? 0);
    // A copy, because a view would keep the whole chunk in memory.
    this.#kept[place] = { index, bytes: Buffer.from(bytes) };
    while (this.#bytes > maxBytes && this.#kept.length > 1) this.#drop();
  }

  get items(): Buffer[] {
    return this.#kept.sort((a, b) => a.index - b.index).map(({ bytes }) => bytes);
  }

  #drop(): void {
    const [dropped] = this.#kept.splice(this.#random.below(this.#kept.length), 1);
    this.#bytes -= dropped?.bytes.byteLength ?? 0;
    this.#room = this.#kept.length;
  }
}
