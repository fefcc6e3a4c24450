/** CRC-64 with the reflected polynomial of ECMA-182, like Go's `crc64.ECMA`: the checksum of a collection in an archive. */

/** 0xC96C5795D7870F42, in two halves, because JavaScript has no fast 64-bit integers. */
const polynomial = { high: 0xc96c5795 | 0, low: 0xd7870f42 | 0 };

/** Four tables of 256 entries, one after another: for a byte that is followed by none, one, two or three others. */
const tableHigh = new Int32Array(4 * 256);
const tableLow = new Int32Array(4 * 256);
for (let byte = 0; byte < 256; byte++) {
  let [high, low] = [0, byte];
  for (let bit = 0; bit < 8; bit++) {
    const isSet = (low & 1) === 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (isSet) {
      low ^= polynomial.low;
      high ^= polynomial.high;
    }
  }
  tableHigh[byte] = high;
  tableLow[byte] = low;
}
const at = (table: Int32Array, index: number): number => table[index] ?? 0;
for (let i = 256; i < 4 * 256; i++) {
  const [high, low] = [at(tableHigh, i - 256), at(tableLow, i - 256)];
  const index = low & 0xff;
  tableLow[i] = ((low >>> 8) | (high << 24)) ^ at(tableLow, index);
  tableHigh[i] = (high >>> 8) ^ at(tableHigh, index);
}

export class Crc64 {
  #high = -1;
  #low = -1;

  update(bytes: Uint8Array): void {
    let [high, low] = [this.#high, this.#low];
    const { length } = bytes;
    let i = 0;
    for (; i + 4 <= length; i += 4) {
      const a = (low ^ (bytes[i] ?? 0)) & 0xff;
      const b = ((low >>> 8) ^ (bytes[i + 1] ?? 0)) & 0xff;
      const c = ((low >>> 16) ^ (bytes[i + 2] ?? 0)) & 0xff;
      const d = ((low >>> 24) ^ (bytes[i + 3] ?? 0)) & 0xff;
      low = high ^ at(tableLow, 768 + a) ^ at(tableLow, 512 + b) ^ at(tableLow, 256 + c) ^ at(tableLow, d);
      high = at(tableHigh, 768 + a) ^ at(tableHigh, 512 + b) ^ at(tableHigh, 256 + c) ^ at(tableHigh, d);
    }
    for (; i < length; i++) {
      const index = (low ^ (bytes[i] ?? 0)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ at(tableLow, index);
      high = (high >>> 8) ^ at(tableHigh, index);
    }
    this.#high = high;
    this.#low = low;
  }

  /** As a signed number, like the field in BSON. */
  get value(): bigint {
    return BigInt.asIntN(64, (BigInt(~this.#high >>> 0) << 32n) | BigInt(~this.#low >>> 0));
  }
}
