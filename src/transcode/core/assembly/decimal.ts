/**
 * Reads Decimal128, the binary encoding of IEEE 754, and writes numbers as fields of PostgreSQL's type numeric. A
 * significand here has 64 bits; what needs more is refused, and so are NaN, infinities and -0.
 */

import { refused } from './outcome';
import { writeInt16, writeInt32 } from './bytes';
import { placePoint, writeInteger, writeUnsigned } from './digits';

const exponentBias: i32 = 6176;

/** The number that was read: `significand` × 10^`exponent`. */
export let significand: u64 = 0;
export let exponent: i32 = 0;
export let isNegative: bool = false;

/** Whether it was read. */
export function readDecimal(start: usize): bool {
  const high = load<u64>(start, 8);
  // Both bits are set where there is no number, or one of too many digits.
  if (((high >> 61) & 3) === 3 || (high & 0x1_ffff_ffff_ffff) !== 0) return false;
  significand = load<u64>(start);
  exponent = (((high >> 49) & 0x3fff) as i32) - exponentBias;
  isNegative = high >> 63 === 1;
  return significand !== 0 || !isNegative;
}

/** Writes the number that was read as the to-string conversion of the specification has it. */
export function writeDecimal(out: usize): usize {
  if (isNegative) store<u8>(out++, 0x2d);
  if (exponent === 0) return writeUnsigned(out, significand);
  // One byte is left before the digits, where the first of them go if a point comes after these.
  const start = out + 1;
  const count = (writeUnsigned(start, significand) - start) as i32;
  const scientific = exponent + count - 1;
  if (exponent > 0 || scientific < -6) {
    store<u8>(out, load<u8>(start));
    if (count > 1) store<u8>(start, 0x2e);
    out += count > 1 ? (count as usize) + 1 : 1;
    store<u8>(out++, 0x45);
    if (scientific > 0) store<u8>(out++, 0x2b);
    return writeInteger(out, scientific);
  }
  return placePoint(out, count, count + exponent);
}

/** A digit of a numeric has the base 10,000: four decimal digits, aligned at the decimal point. */
const numericBase: u64 = 10_000;
/** Times 1,000, it has no more than 64 bits. */
const maxBeforeShift: u64 = u64.MAX_VALUE / 1000;

/** A numeric field: `value` × 10^`scale`. Its binary form: src/backend/utils/adt/numeric.c (numeric_recv). */
export function writeNumeric(out: usize, value: u64, scale: i32, isBelowZero: bool): usize {
  const shift = scale & 3;
  if (shift !== 0) {
    if (value > maxBeforeShift) return refused;
    value *= shift === 1 ? 10 : shift === 2 ? 100 : 1000;
  }
  let count = 0;
  for (let rest = value; rest > 0; rest /= numericBase) count++;
  writeInt32(out, 8 + count * 2);
  writeInt16(out + 4, count);
  writeInt16(out + 6, count === 0 ? 0 : count - 1 + (scale - shift) / 4);
  writeInt16(out + 8, isBelowZero ? 0x4000 : 0);
  // The number of decimal places that are shown: those of the original number.
  writeInt16(out + 10, max(-scale, 0));
  const end = out + 12 + count * 2;
  for (let at = end; value > 0; value /= numericBase) {
    at -= 2;
    writeInt16(at, (value % numericBase) as u32);
  }
  return end;
}
