/** Memory for one connection's replies, used again for each: fresh pages for every reply would cost more than filling them. */

/** Pages of ten thousand small documents fit; a larger reply gets memory of its own. */
const maxKeptBytes = 4 * 1024 * 1024;

export class ReplyBuffer {
  #kept = Buffer.alloc(0);

  /** Memory for a reply, valid until the next call; its content is undefined. */
  take(length: number): Buffer {
    if (length > maxKeptBytes) {
      return Buffer.allocUnsafeSlow(length);
    }
    if (length > this.#kept.length) {
      this.#kept = Buffer.allocUnsafeSlow(Math.min(maxKeptBytes, Math.max(length, this.#kept.length * 2)));
    }
    return this.#kept.subarray(0, length);
  }
}
