/** A mutable unsigned 128-bit integer, such as the significand of a Decimal128. Faster than a bigint. */

import { two32 } from './digits.ts';

export class Uint128 {
  /** Four words of 32 bits, the most significant first. */
  readonly #words = new DataView(new ArrayBuffer(16));

  set(word3: number, word2: number, word1: number, word0: number): void {
    const words = this.#words;
    words.setUint32(0, word3);
    words.setUint32(4, word2);
    words.setUint32(8, word1);
    words.setUint32(12, word0);
  }

  /** @param value an integer, 0 ≤ value < 2^64 */
  setNumber(value: number): void {
    const high = Math.floor(value / two32);
    this.set(0, 0, high, value - high * two32);
  }

  isZero(): boolean {
    const words = this.#words;
    return (words.getUint32(0) | words.getUint32(4) | words.getUint32(8) | words.getUint32(12)) === 0;
  }

  /** Both arguments are below 2^20, so that products are exact in a double. */
  multiplyAdd(factor: number, addend: number): void {
    const words = this.#words;
    let carried = addend;
    for (let at = 12; at >= 0; at -= 4) {
      const product = words.getUint32(at) * factor + carried;
      carried = Math.floor(product / two32);
      words.setUint32(at, product - carried * two32);
    }
  }

  /**
   * Replaces the number by the quotient, and returns the remainder.
   *
   * @param divisor below 2^20, so that the quotient of a step is never rounded up to the next integer
   */
  divide(divisor: number): number {
    const words = this.#words;
    let remainder = 0;
    for (let at = 0; at < 16; at += 4) {
      const dividend = remainder * two32 + words.getUint32(at);
      if (dividend === 0) continue;
      const quotient = Math.floor(dividend / divisor);
      words.setUint32(at, quotient);
      remainder = dividend - quotient * divisor;
    }
    return remainder;
  }
}
