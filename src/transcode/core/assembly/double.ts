/**
 * Writes doubles by the fewest digits that read back as the same double, as JavaScript does. The digits are found by
 * Schubfach: Raffaello Giulietti, "The Schubfach way to render doubles" (2021), in the form of
 * https://github.com/abolz/Drachennest.
 */

import { placePoint, writeInteger, writeUnsigned } from './digits';
import { refused } from './outcome';
import { writeAscii } from './text';

/** Of the powers of ten that are needed: 10^-292 to 10^324. */
const firstPower: i32 = -292;
const lastPower: i32 = 324;

/** The 128 bits that each power begins with, rounded up; the upper half first. */
const powers = memory.data((lastPower - firstPower + 1) * 16);
let hasPowers = false;

/** Outside, numbers are as long as it takes. @param at where 617 × 16 bytes go */
declare function fillPowers(at: usize, first: i32, last: i32): void;

/** What `findShortest` has found: `shortestDigits` × 10^`shortestExponent`, without zeros at the end. */
export let shortestDigits: u64 = 0;
export let shortestExponent: i32 = 0;

function mulHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const other = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}

/** The upper 64 bits of the power times `factor`; the last bit is set if anything but 0 or 1 was cut off. */
function multiplyToOdd(power: usize, factor: u64): u64 {
  const high = load<u64>(power);
  const carried = mulHigh(load<u64>(power + 8), factor);
  const low = high * factor + carried;
  const carry: u64 = low < carried ? 1 : 0;
  return (mulHigh(high, factor) + carry) | (low > 1 ? 1 : 0);
}

/** @param value positive and finite */
export function findShortest(value: f64): void {
  const bits = reinterpret<u64>(value);
  const fraction = bits & 0xf_ffff_ffff_ffff;
  const biased = (bits >> 52) as i32;
  const significand = biased === 0 ? fraction : fraction | 0x10_0000_0000_0000;
  const exponent = (biased === 0 ? 1 : biased) - 1075;
  const isLowerCloser = fraction === 0 && biased > 1;
  if (!hasPowers) {
    fillPowers(powers, firstPower, lastPower);
    hasPowers = true;
  }
  // The logarithms by a multiplication and a shift; `>>` rounds down.
  const k = (exponent * 1_262_611 - (isLowerCloser ? 524_031 : 0)) >> 22;
  const shift = exponent + ((-k * 1_741_647) >> 19) + 1;
  const power = powers + ((-k - firstPower) as usize) * 16;
  const four = significand << 2;
  const below = multiplyToOdd(power, (four - (isLowerCloser ? 1 : 2)) << shift);
  const middle = multiplyToOdd(power, four << shift);
  const above = multiplyToOdd(power, (four + 2) << shift);
  // The ends of the interval read back as the double if its significand is even.
  const isOdd = significand & 1;
  const lower = below + isOdd;
  const upper = above - isOdd;
  const digits = middle >> 2;
  if (digits >= 10) {
    const fewer = digits / 10;
    const isDownInside = lower <= fewer * 40;
    const isUpInside = fewer * 40 + 40 <= upper;
    if (isDownInside !== isUpInside) {
      keep(isUpInside ? fewer + 1 : fewer, k + 1);
      return;
    }
  }
  const isDownInside = lower <= digits << 2;
  const isUpInside = (digits << 2) + 4 <= upper;
  if (isDownInside !== isUpInside) {
    keep(isUpInside ? digits + 1 : digits, k);
    return;
  }
  const half = (digits << 2) + 2;
  const isUp = middle > half || (middle === half && (digits & 1) !== 0);
  keep(isUp ? digits + 1 : digits, k);
}

function keep(digits: u64, exponent: i32): void {
  while (digits % 10 === 0) {
    digits /= 10;
    exponent++;
  }
  shortestDigits = digits;
  shortestExponent = exponent;
}

/** The largest integer up to which a double has all of them. */
const maxSafeInteger: f64 = 9_007_199_254_740_991;

/** Writes a finite double other than -0 as JavaScript does: https://tc39.es/ecma262/#sec-numeric-types-number-tostring */
export function writeNumber(out: usize, value: f64): usize {
  if (nearest(value) === value && abs(value) <= maxSafeInteger) return writeInteger(out, value as i64);
  if (value < 0) store<u8>(out++, 0x2d);
  findShortest(abs(value));
  const start = out + 1;
  // One byte is left before them, where the first digits go if a point comes after these.
  const count = (writeUnsigned(start, shortestDigits) - start) as i32;
  const point = count + shortestExponent;
  if (point > 21 || point <= -6) return writeScientific(out, count, point - 1);
  if (point < count) return placePoint(out, count, point);
  for (let i = 0; i < point; i++) store<u8>(out + i, i < count ? load<u8>(start + i) : 0x30);
  return out + point;
}

/** @param count of the digits that stand at `out + 1` */
function writeScientific(out: usize, count: i32, exponent: i32): usize {
  store<u8>(out, load<u8>(out + 1));
  if (count > 1) store<u8>(out + 1, 0x2e);
  out += count > 1 ? (count as usize) + 1 : 1;
  store<u16>(out, exponent < 0 ? 0x2d65 : 0x2b65);
  return writeUnsigned(out + 2, abs(exponent));
}

/** The first double that is beyond every int64. */
export const endOfInt64: f64 = 9_223_372_036_854_775_808.0;

/** NaN, infinities and -0 as well; whole numbers with all their digits and a zero after the point. Refuses very large ones. */
export function writeCanonicalNumber(out: usize, value: f64): usize {
  if (value !== value) return writeAscii(out, 'NaN');
  if (abs(value) === Infinity) return writeAscii(out, value < 0 ? '-Infinity' : 'Infinity');
  if (nearest(value) !== value) return writeNumber(out, value);
  if (isMinusZero(value)) return writeAscii(out, '-0.0');
  if (abs(value) >= endOfInt64) return refused;
  return writeAscii(writeInteger(out, value as i64), '.0');
}

export function isMinusZero(value: f64): bool {
  return reinterpret<u64>(value) === 0x8000_0000_0000_0000;
}
