/** Writes bytes as hexadecimal digits. */

import type { Output } from './output.ts';

/** The lower-case digit of a number below 16. */
export function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x57 + value;
}

/** The two digits of each byte. A table takes half the time of computing them, and every ObjectId has twelve. */
const pairs = Uint16Array.from(
  { length: 256 },
  (_, byte) => (hexDigit(byte >>> 4) << 8) | hexDigit(byte & 15),
);

/** Writes the bytes [start, end) as lower-case digits. */
export function writeHex(view: DataView, start: number, end: number, output: Output): void {
  output.reserve((end - start) * 2);
  const target = output.view;
  let at = output.position;
  for (let i = start; i < end; i++) {
    target.setUint16(at, pairs[view.getUint8(i)] ?? 0);
    at += 2;
  }
  output.position = at;
}

/** Writes 16 bytes as `01234567-89ab-cdef-0123-456789abcdef`. */
export function writeUuid(view: DataView, start: number, output: Output): void {
  writeHex(view, start, start + 4, output);
  for (let at = start + 4; at < start + 10; at += 2) {
    output.writeByte(0x2d);
    writeHex(view, at, at + 2, output);
  }
  output.writeByte(0x2d);
  writeHex(view, start + 10, start + 16, output);
}
