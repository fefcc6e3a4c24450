/**
 * Copies text while checking it: 16 bytes at a time as long as they stand for themselves. Reads and writes up to 15 bytes
 * beyond the end of the text, which memory has room for.
 */

import { refused } from './outcome';

/** The lanes of `plain` that are not set, of the first `count`. */
function badLanes(plain: v128, count: usize): i32 {
  const bad = ~i8x16.bitmask(plain) & 0xffff;
  return count >= 16 ? bad : bad & ((1 << (count as i32)) - 1);
}

/**
 * The length of the sequence of two to four bytes at `start`, or 0 if it is not well-formed UTF-8:
 * https://www.unicode.org/versions/Unicode16.0.0/core-spec/chapter-3/#G27506 (Table 3-7; surrogates are excluded).
 */
function sequenceLength(start: usize, end: usize): usize {
  const first: u32 = load<u8>(start);
  const length: usize = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || length > end - start) return 0;
  const second: u32 = load<u8>(start + 1);
  const least: u32 = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most: u32 = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let at = start + 2; at < start + length; at++) {
    if ((load<u8>(at) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** Copies the sequences of more than one byte that follow each other. Returns how many bytes they have; 0 if one is malformed. */
function copySequences(out: usize, start: usize, end: usize): usize {
  let at = start;
  while (at < end && load<u8>(at) >= 0x80) {
    const length = sequenceLength(at, end);
    if (length === 0) return 0;
    // Four bytes hold any sequence; what is too much is written over.
    store<u32>(out + (at - start), load<u32>(at));
    at += length;
  }
  return at - start;
}

/** Copies UTF-8 without NUL as it is; refuses any other text. */
export function writeText(out: usize, start: usize, end: usize): usize {
  const nul = i8x16.splat(0);
  let at = start;
  while (at < end) {
    const bytes = v128.load(at);
    v128.store(out, bytes);
    const count = end - at;
    // As signed bytes, ASCII without NUL is what is greater than 0.
    const bad = badLanes(i8x16.gt_s(bytes, nul), count);
    if (bad === 0) {
      const step = min(count, 16);
      at += step;
      out += step;
      continue;
    }
    const skipped = ctz(bad);
    at += skipped;
    out += skipped;
    const copied = copySequences(out, at, end);
    // A NUL is no sequence either.
    if (copied === 0) return refused;
    at += copied;
    out += copied;
  }
  return out;
}

/** Of UTF-8: its bytes but for those in the middle of a character. */
export function countCharacters(start: usize, end: usize): usize {
  let count: usize = 0;
  for (let at = start; at < end; at++) if ((load<u8>(at) & 0xc0) !== 0x80) count++;
  return count;
}

/** Writes UTF-8 without NUL as a JSON string; refuses any other text. */
export function writeJsonString(out: usize, start: usize, end: usize): usize {
  const lastControl = i8x16.splat(0x1f);
  const quote = i8x16.splat(0x22);
  const backslash = i8x16.splat(0x5c);
  store<u8>(out++, 0x22);
  let at = start;
  while (at < end) {
    const bytes = v128.load(at);
    v128.store(out, bytes);
    const count = end - at;
    const isQuoted = v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash));
    const bad = badLanes(v128.andnot(i8x16.gt_s(bytes, lastControl), isQuoted), count);
    if (bad === 0) {
      const step = min(count, 16);
      at += step;
      out += step;
      continue;
    }
    const skipped = ctz(bad);
    at += skipped;
    out += skipped;
    const byte: u32 = load<u8>(at);
    if (byte >= 0x80) {
      const copied = copySequences(out, at, end);
      if (copied === 0) return refused;
      at += copied;
      out += copied;
    } else {
      if (byte === 0) return refused;
      out = writeEscape(out, byte);
      at++;
    }
  }
  store<u8>(out, 0x22);
  return out + 1;
}

function writeEscape(out: usize, byte: u32): usize {
  const letter = shortEscape(byte);
  store<u8>(out, 0x5c);
  if (letter !== 0) {
    store<u8>(out + 1, letter);
    return out + 2;
  }
  // `u00` and two digits, the first of which is 0 or 1.
  store<u8>(out + 1, 0x75);
  store<u16>(out + 2, 0x3030);
  store<u8>(out + 4, 0x30 + (byte >> 4));
  const low = byte & 15;
  store<u8>(out + 5, low < 10 ? 0x30 + low : 0x57 + low);
  return out + 6;
}

/** The letter of a short escape, or 0. */
function shortEscape(byte: u32): u32 {
  switch (byte) {
    case 0x08:
      return 0x62;
    case 0x09:
      return 0x74;
    case 0x0a:
      return 0x6e;
    case 0x0c:
      return 0x66;
    case 0x0d:
      return 0x72;
    case 0x22:
    case 0x5c:
      return byte;
    default:
      return 0;
  }
}

/** Writes a constant of ASCII. Writes up to 7 bytes beyond its end. */
export function writeAscii(out: usize, ascii: string): usize {
  const units = changetype<usize>(ascii);
  const length = ascii.length as usize;
  for (let at: usize = 0; at < length; at += 8) {
    const eight = v128.load(units + at * 2);
    v128.store64_lane(out + at, i8x16.narrow_i16x8_u(eight, eight), 0);
  }
  return out + length;
}
