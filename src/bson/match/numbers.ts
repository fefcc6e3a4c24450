/** Compares BSON numbers of all four types exactly, in MongoDB's order: NaN first, then by value. */
import { readInt32 } from '../raw-value.ts';
import { bsonTypes } from '../types.ts';
import { Decimal128 } from 'bson';

/** Compares two numbers of any types by value, without rounding. */
export function compareNumbers(
  typeA: number,
  bytesA: Buffer,
  startA: number,
  typeB: number,
  bytesB: Buffer,
  startB: number,
): number {
  const a = readAsDouble(typeA, bytesA, startA);
  const b = readAsDouble(typeB, bytesB, startB);
  // Rounding to double is monotonic: if the doubles differ, the values are ordered like them.
  if (a < b) {
    return -1;
  }
  if (a > b) {
    return 1;
  }
  if (Number.isNaN(a) || Number.isNaN(b)) {
    return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  }
  const isDecimal = typeA === bsonTypes.decimal || typeB === bsonTypes.decimal;
  if (!isDecimal && Math.abs(a) < maxExactInteger) {
    return 0;
  }
  return compareExact(readExact(typeA, bytesA, startA), readExact(typeB, bytesB, startB));
}

/** The number as the nearest double. */
export function readAsDouble(type: number, bytes: Buffer, start: number): number {
  switch (type) {
    case bsonTypes.int:
      return readInt32(bytes, start);
    case bsonTypes.double:
      return bytes.readDoubleLE(start);
    case bsonTypes.long:
      return readInt32(bytes, start + 4) * 0x1_0000_0000 + (readInt32(bytes, start) >>> 0);
    default:
      return Number(readDecimal(bytes, start));
  }
}

/** Below 2^53, every integer is exactly a double, so equal doubles are equal integers. */
const maxExactInteger = 2 ** 53;

/** sign × infinity, or coefficient × 10^exponent. */
type Exact = { readonly infinity: 1 | -1 } | { readonly coefficient: bigint; readonly exponent: number };

function readDecimal(bytes: Buffer, start: number): string {
  return new Decimal128(bytes.subarray(start, start + 16)).toString();
}

function readExact(type: number, bytes: Buffer, start: number): Exact {
  switch (type) {
    case bsonTypes.int:
      return { coefficient: BigInt(readInt32(bytes, start)), exponent: 0 };
    case bsonTypes.long:
      return { coefficient: bytes.readBigInt64LE(start), exponent: 0 };
    case bsonTypes.double:
      return expandDouble(bytes, start);
    default:
      return parseDecimal(readDecimal(bytes, start));
  }
}

function expandDouble(bytes: Buffer, start: number): Exact {
  const value = bytes.readDoubleLE(start);
  if (!Number.isFinite(value)) {
    return { infinity: value > 0 ? 1 : -1 };
  }
  const bits = bytes.readBigUInt64LE(start);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = biased === 0 ? fraction : fraction | 0x10_0000_0000_0000n;
  const signed = value < 0 ? -mantissa : mantissa;
  const power = (biased === 0 ? 1 : biased) - 1075;
  // m × 2^-p = m × 5^p × 10^-p: exact in decimal.
  return power >= 0
    ? { coefficient: signed << BigInt(power), exponent: 0 }
    : { coefficient: signed * 5n ** BigInt(-power), exponent: power };
}

function parseDecimal(text: string): Exact {
  const match = /^(-?)(\d*)(?:\.(\d*))?(?:E([+-]?\d+))?$/.exec(text);
  if (match === null) {
    return { infinity: text.startsWith('-') ? -1 : 1 };
  }
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const coefficient = BigInt(whole + fraction);
  return {
    coefficient: sign === '-' ? -coefficient : coefficient,
    exponent: Number(exponent) - fraction.length,
  };
}

function compareExact(a: Exact, b: Exact): number {
  if ('infinity' in a || 'infinity' in b) {
    return ('infinity' in a ? a.infinity : 0) - ('infinity' in b ? b.infinity : 0);
  }
  const exponent = Math.min(a.exponent, b.exponent);
  const scaledA = a.coefficient * 10n ** BigInt(a.exponent - exponent);
  const scaledB = b.coefficient * 10n ** BigInt(b.exponent - exponent);
  return scaledA < scaledB ? -1 : scaledA > scaledB ? 1 : 0;
}
