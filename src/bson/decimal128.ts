/**
 * Reads Decimal128 from its 16 bytes (the binary encoding of IEEE 754, little-endian) and writes it as text:
 * https://github.com/mongodb/specifications/blob/master/source/bson-decimal128/decimal128.md
 */

import { writeInteger } from './digits.ts';
import type { Output } from './output.ts';
import { Uint128 } from './uint128.ts';

const exponentBias = 6176;

/** The words of 10^34, the first significand that has too many digits. */
const tooLarge = [0x0001ed09, 0xbead87c0, 0x378d8e64] as const;

/** A decimal number, `significand` × 10^`exponent`. The object is reused for the next number. */
export class Decimal {
  kind: 'finite' | 'infinity' | 'nan' = 'finite';
  isNegative = false;
  exponent = 0;
  readonly significand = new Uint128();

  /** Negative zero, which neither Postgres's numeric nor jsonb has. */
  isNegativeZero(): boolean {
    return this.kind === 'finite' && this.isNegative && this.significand.isZero();
  }

  read(view: DataView, start: number): void {
    const { significand } = this;
    const high = view.getUint32(start + 12, true);
    this.isNegative = high >>> 31 === 1;
    this.kind = 'finite';
    if (((high >>> 29) & 3) === 3) {
      if (((high >>> 27) & 15) === 15) this.kind = ((high >>> 26) & 1) === 1 ? 'nan' : 'infinity';
      // This encoding is for significands of more than 34 digits, which the standard treats as zero.
      this.exponent = ((high >>> 15) & 0x3fff) - exponentBias;
      significand.set(0, 0, 0, 0);
      return;
    }
    this.exponent = ((high >>> 17) & 0x3fff) - exponentBias;
    const word3 = high & 0x1ffff;
    const word2 = view.getUint32(start + 8, true);
    const word1 = view.getUint32(start + 4, true);
    if (isTooLarge(word3, word2, word1)) significand.set(0, 0, 0, 0);
    else significand.set(word3, word2, word1, view.getUint32(start, true));
  }
}

function isTooLarge(word3: number, word2: number, word1: number): boolean {
  if (word3 !== tooLarge[0]) return word3 > tooLarge[0];
  if (word2 !== tooLarge[1]) return word2 > tooLarge[1];
  return word1 >= tooLarge[2];
}

/** 34 digits, and those that make up whole groups. */
const maxDigits = 36;

/** The digits of the number being written, right-aligned, as ASCII. */
const digits = new Uint8Array(maxDigits);

/**
 * Writes the number by the to-string conversion of the specification; a finite one is a JSON number. Destroys the
 * significand.
 */
export function writeDecimal(decimal: Decimal, output: Output): void {
  const { exponent } = decimal;
  if (decimal.kind === 'nan') {
    output.writeAscii('NaN');
    return;
  }
  if (decimal.isNegative) output.writeByte(0x2d);
  if (decimal.kind === 'infinity') {
    output.writeAscii('Infinity');
    return;
  }
  const first = spellSignificand(decimal.significand);
  const count = maxDigits - first;
  const scientific = exponent + count - 1;
  if (exponent > 0 || scientific < -6) {
    writeDigits(first, first + 1, output);
    if (count > 1) output.writeByte(0x2e);
    writeDigits(first + 1, maxDigits, output);
    output.writeByte(0x45);
    if (scientific > 0) output.writeByte(0x2b);
    writeInteger(scientific, output);
  } else if (exponent === 0) {
    writeDigits(first, maxDigits, output);
  } else {
    // Adds leading zeros so that one digit comes before the decimal point.
    const point = Math.max(maxDigits + exponent, first);
    writeDigits(first, point, output);
    if (point === first) output.writeByte(0x30);
    output.writeByte(0x2e);
    for (let zeros = first - (maxDigits + exponent); zeros > 0; zeros--) output.writeByte(0x30);
    writeDigits(point, maxDigits, output);
  }
}

/** @returns the index of the first digit; zero has one digit */
function spellSignificand(significand: Uint128): number {
  let at = maxDigits;
  do {
    let group = significand.divide(10_000);
    for (let i = 0; i < 4; i++) {
      const tenth = Math.floor(group / 10);
      digits[--at] = 0x30 + group - tenth * 10;
      group = tenth;
    }
  } while (!significand.isZero());
  while (at < maxDigits - 1 && digits[at] === 0x30) at++;
  return at;
}

function writeDigits(from: number, to: number, output: Output): void {
  output.reserve(to - from);
  const { bytes } = output;
  let at = output.position;
  for (let i = from; i < to; i++) bytes[at++] = digits[i] ?? 0;
  output.position = at;
}
