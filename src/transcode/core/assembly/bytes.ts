/** Writes bytes: turned around, as hexadecimal digits, as base64. */

/** Big-endian, as PostgreSQL has its numbers. */
export function writeInt16(out: usize, value: u32): usize {
  store<u16>(out, bswap<u16>(value as u16));
  return out + 2;
}

export function loadInt16(at: usize): i32 {
  return bswap<u16>(load<u16>(at)) as i16 as i32;
}

export function writeInt32(out: usize, value: u32): usize {
  store<u32>(out, bswap<u32>(value));
  return out + 4;
}

export function writeInt64(out: usize, value: u64): usize {
  store<u64>(out, bswap<u64>(value));
  return out + 8;
}

/** Fewer bytes are copied faster here than by the system. */
const fewBytes: usize = 128;

/** Writes up to 15 bytes beyond. */
export function copyBytes(out: usize, start: usize, length: usize): usize {
  if (length > fewBytes) memory.copy(out, start, length);
  else for (let at: usize = 0; at < length; at += 16) v128.store(out + at, v128.load(start + at));
  return out + length;
}

/** The lower-case digits of the 16 bytes at `start`, the first `count` of which are wanted. Writes 32 bytes. */
export function writeHex(out: usize, start: usize, count: usize): usize {
  const digits = i8x16(
    0x30,
    0x31,
    0x32,
    0x33,
    0x34,
    0x35,
    0x36,
    0x37,
    0x38,
    0x39,
    0x61,
    0x62,
    0x63,
    0x64,
    0x65,
    0x66,
  );
  const bytes = v128.load(start);
  const nibble = i8x16.splat(0x0f);
  const high = v128.and(i16x8.shr_u(bytes, 4), nibble);
  const low = v128.and(bytes, nibble);
  const first = i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const second = i8x16.shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  v128.store(out, i8x16.swizzle(digits, first));
  v128.store(out + 16, i8x16.swizzle(digits, second));
  return out + count * 2;
}

const base64Digits = memory.data<u8>([
  0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52,
  0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a,
  0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x30, 0x31,
  0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x2b, 0x2f,
]);

function base64Digit(sextet: u32): u32 {
  return load<u8>(base64Digits + (sextet & 63));
}

export function writeBase64(out: usize, start: usize, end: usize): usize {
  let at = start;
  for (; at + 3 <= end; at += 3, out += 4) {
    const three =
      ((load<u8>(at) as u32) << 16) | ((load<u8>(at + 1) as u32) << 8) | (load<u8>(at + 2) as u32);
    const first = base64Digit(three >> 18) | (base64Digit(three >> 12) << 8);
    store<u32>(out, first | (base64Digit(three >> 6) << 16) | (base64Digit(three) << 24));
  }
  if (at === end) return out;
  const one = (load<u8>(at) as u32) << 16;
  const two = at + 1 < end ? one | ((load<u8>(at + 1) as u32) << 8) : one;
  store<u8>(out, base64Digit(two >> 18));
  store<u8>(out + 1, base64Digit(two >> 12));
  store<u8>(out + 2, at + 1 < end ? base64Digit(two >> 6) : 0x3d);
  store<u8>(out + 3, 0x3d);
  return out + 4;
}
