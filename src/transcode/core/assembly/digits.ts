/** Writes integers and dates as ASCII digits. */

function countDigits(value: u64): usize {
  let count: usize = 1;
  // Divisions of 64 bits are slow, and most numbers need none.
  for (; value >= 100_000_000; value /= 100_000_000) count += 8;
  let rest = value as u32;
  for (; rest >= 10_000; rest /= 10_000) count += 4;
  return count + (rest >= 1000 ? 3 : rest >= 100 ? 2 : rest >= 10 ? 1 : 0);
}

/** With leading zeros, in `width` digits. */
export function writePadded(out: usize, value: u64, width: usize): usize {
  let at = out + width;
  for (; value > u32.MAX_VALUE; at -= 8) {
    const quotient = value / 100_000_000;
    writePadded32(at - 8, (value - quotient * 100_000_000) as u32, 8);
    value = quotient;
  }
  writePadded32(out, value as u32, at - out);
  return out + width;
}

function writePadded32(out: usize, value: u32, width: usize): void {
  let at = out + width;
  for (; at >= out + 2; value /= 100) {
    at -= 2;
    writePair(at, value % 100);
  }
  if (at > out) store<u8>(out, 0x30 + (value % 10));
}

/** Two digits. */
function writePair(out: usize, value: u32): usize {
  store<u16>(out, 0x3030 + value / 10 + ((value % 10) << 8));
  return out + 2;
}

export function writeUnsigned(out: usize, value: u64): usize {
  return writePadded(out, value, countDigits(value));
}

/**
 * Puts the decimal point into the digits that begin at `out + 1`, before the one at `point`, and zeros where there is none:
 * at most seven, and no more than 24 digits.
 */
export function placePoint(out: usize, count: i32, point: i32): usize {
  const start = out + 1;
  if (point > 0) {
    for (let i = 0; i < point; i++) store<u8>(out + i, load<u8>(start + i));
    store<u8>(out + point, 0x2e);
    return start + count;
  }
  const first = v128.load(start);
  const second = load<u64>(start, 16);
  store<u32>(out, 0x3030_2e30);
  store<u32>(out, 0x3030_3030, 4);
  v128.store(out + 2 - point, first);
  store<u64>(out + 2 - point, second, 16);
  return out + 2 - point + count;
}

export function writeInteger(out: usize, value: i64): usize {
  if (value >= 0) return writeUnsigned(out, value);
  store<u8>(out, 0x2d);
  // The least int64 is its own negative, which is right as an unsigned number.
  return writeUnsigned(out + 1, -value as u64);
}

const msPerDay: i64 = 86_400_000;
const daysPer400Years: i32 = 146_097;
/** From 0000-03-01, where the leap day is the last of its year, to 1970-01-01. */
const daysTo1970: i32 = 719_468;

/** Writes an instant of the years 1 to 9999: `2024-02-29T12:00:00Z`, with milliseconds if there are any. */
export function writeIsoDate(out: usize, epochMs: i64): usize {
  let days = epochMs / msPerDay;
  let rest = (epochMs % msPerDay) as i32;
  if (rest < 0) {
    days--;
    rest += msPerDay as i32;
  }
  const ms = rest % 1000;
  const seconds = rest / 1000;
  out = writeDay(out, (days as i32) + daysTo1970);
  store<u8>(out, 0x54);
  out = writePair(out + 1, seconds / 3600);
  store<u8>(out, 0x3a);
  out = writePair(out + 1, (seconds / 60) % 60);
  store<u8>(out, 0x3a);
  out = writePair(out + 1, seconds % 60);
  if (ms !== 0) {
    store<u8>(out, 0x2e);
    out = writePadded(out + 1, ms, 3);
  }
  store<u8>(out, 0x5a);
  return out + 1;
}

/** http://howardhinnant.github.io/date_algorithms.html#civil_from_days */
function writeDay(out: usize, days: i32): usize {
  const era = days / daysPer400Years;
  const dayOfEra = days % daysPer400Years;
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const monthFromMarch = (5 * dayOfYear + 2) / 153;
  const day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  out = writePadded(out, year, 4);
  store<u8>(out, 0x2d);
  out = writePair(out + 1, month);
  store<u8>(out, 0x2d);
  return writePair(out + 1, day);
}
