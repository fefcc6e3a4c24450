/** The most bytes that a long value can take as text or as fields; of short ones it is assumed, which is faster. */

import * as bson from './bson';

/** What is longer is measured. */
const assumedBytes: usize = 256 * 1024;
/** A regular expression of four bytes becomes one of 53. */
const largestGrowth: u64 = 14;
/** Deeper documents are refused by what writes them, too. */
const maxDepth: i32 = 64;

/** A separator, a colon and the quotes of a name; or the length of a field. */
const elementBytes: u64 = 5;
/** Brackets, the head of a jsonb field, and that of an array of PostgreSQL. */
const containerBytes: u64 = 32;
/** What is around the text of values that are written as an object, even of those without any bytes. */
const wrapperBytes: u64 = 64;

/** What is malformed or too deep has no size. */
export const unmeasured: u64 = u64.MAX_VALUE;

export function mostBytesOf(type: u32, start: usize, end: usize): u64 {
  const size = end - start;
  if (size > assumedBytes) return measureValue(type, start, end, 0);
  return (size as u64) * largestGrowth + wrapperBytes;
}

function measureValue(type: u32, start: usize, end: usize, depth: i32): u64 {
  switch (type) {
    case bson.typeObject:
    case bson.typeArray:
      return measureElements(type, start, end, depth);
    case bson.typeNull:
    case bson.typeBool:
      return 5;
    case bson.typeInt:
      return 28;
    case bson.typeDouble:
      return 44;
    case bson.typeBinary:
      return wrapperBytes + ((((end - start) as u64) + 2) / 3) * 4;
    default:
      return wrapperBytes + measureText(start, end);
  }
}

function measureElements(type: u32, start: usize, end: usize, depth: i32): u64 {
  if (depth >= maxDepth) return unmeasured;
  const terminator = end - 1;
  let sum = containerBytes;
  for (let at = start + 4; at !== terminator;) {
    const elementType: u32 = load<u8>(at);
    const nameStart = at + 1;
    const nameEnd = bson.findNul(nameStart, terminator);
    if (nameEnd === terminator) return unmeasured;
    at = bson.endOfValue(elementType, nameEnd + 1, terminator);
    if (at === 0) return unmeasured;
    const value = measureValue(elementType, nameEnd + 1, at, depth + 1);
    if (value === unmeasured) return unmeasured;
    sum += elementBytes + value;
    // An array has no names.
    if (type === bson.typeObject) sum += measureText(nameStart, nameEnd);
  }
  return sum;
}

/** As a JSON string without quotes: a control character becomes six bytes, one that is escaped two. */
function measureText(start: usize, end: usize): u64 {
  const firstPlain = i8x16.splat(0x20);
  const quote = i8x16.splat(0x22);
  const backslash = i8x16.splat(0x5c);
  let sum = (end - start) as u64;
  for (let at = start; at < end; at += 16) {
    const bytes = v128.load(at);
    const left = end - at;
    const lanes: i32 = left >= 16 ? 0xffff : (1 << (left as i32)) - 1;
    const controls = i8x16.bitmask(i8x16.lt_u(bytes, firstPlain)) & lanes;
    const escaped = i8x16.bitmask(v128.or(i8x16.eq(bytes, quote), i8x16.eq(bytes, backslash))) & lanes;
    sum += (popcnt(controls) * 5 + popcnt(escaped)) as u64;
  }
  return sum;
}
