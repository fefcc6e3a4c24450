/** UUIDs and their text, `01234567-89ab-cdef-0123-456789abcdef`. */

import { writeHex } from './bytes';

const hyphen: u8 = 0x2d;

/** Writes the text of 16 bytes. */
export function writeUuid(out: usize, start: usize): usize {
  writeHex(out + 4, start, 16);
  // The digits move to the left, group by group, each before it is written over.
  store<u64>(out, load<u64>(out + 4));
  store<u8>(out + 8, hyphen);
  store<u32>(out + 9, load<u32>(out + 12));
  store<u8>(out + 13, hyphen);
  store<u32>(out + 14, load<u32>(out + 16));
  store<u8>(out + 18, hyphen);
  store<u32>(out + 19, load<u32>(out + 20));
  store<u8>(out + 23, hyphen);
  return out + 36;
}

export const uuidTextBytes: usize = 36;

/** Writes the 16 bytes that the text at `start` stands for. False if it is none of a UUID. */
export function readUuid(out: usize, start: usize): bool {
  let at = start;
  for (let index = 0; index < 16; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) {
      if (load<u8>(at++) !== hyphen) return false;
    }
    const high = valueOfHex(load<u8>(at));
    const low = valueOfHex(load<u8>(at + 1));
    if (high < 0 || low < 0) return false;
    store<u8>(out + index, (high << 4) | low);
    at += 2;
  }
  return true;
}

/** -1 if it is no digit. */
function valueOfHex(digit: u32): i32 {
  const number = digit - 0x30;
  if (number < 10) return number;
  const letter = (digit | 0x20) - 0x61;
  return letter < 6 ? letter + 10 : -1;
}
