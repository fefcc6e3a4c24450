/** Validates BSON text, and writes it as a JSON string. */

import type { BsonBytes } from '../cursor.ts';
import { hexDigit } from '../hex.ts';
import type { Output } from '../output.ts';
import { measureSequence } from '../utf8.ts';
import { type NulPolicy, writeNul } from '../nul-policy.ts';

const quoteByte = 0x22;
const backslashByte = 0x5c;
/** The longest escape of a byte: a backslash, `u` and four digits. */
const maxEscapeBytes = 6;

/**
 * @param nul the default is for names and patterns, which cannot contain a NUL in BSON
 * @throws DocumentError if the text is not UTF-8, or has a NUL that the policy rejects
 */
export function writeJsonString(
  source: BsonBytes,
  start: number,
  end: number,
  output: Output,
  nul: NulPolicy | 'escape' = 'reject',
): void {
  const { view } = source;
  // Enough for text without escapes; each escape reserves room for the rest again.
  output.reserve(end - start + 2);
  let { bytes, position: at } = output;
  bytes[at++] = quoteByte;
  let i = start;
  // Fast path: four characters at a time, until one of them needs more work.
  for (; i + 4 <= end && isPlain(view.getInt32(i)); i += 4, at += 4) {
    output.view.setInt32(at, view.getInt32(i));
  }
  for (; i < end; i++) {
    const byte = view.getUint8(i);
    if (byte >= 0x80) {
      const last = i + measureSequence(view, i, end) - 1;
      for (; i < last; i++) bytes[at++] = view.getUint8(i);
      bytes[at++] = view.getUint8(i);
    } else if (byte >= 0x20 && byte !== quoteByte && byte !== backslashByte) {
      bytes[at++] = byte;
    } else {
      output.position = at;
      if (byte === 0 && nul !== 'escape') {
        writeNul(nul, i, end, output);
        ({ bytes, position: at } = output);
      } else {
        output.reserve(maxEscapeBytes + end - i + 1);
        bytes = output.bytes;
        at = writeEscape(byte, bytes, at);
      }
    }
  }
  bytes[at++] = quoteByte;
  output.position = at;
}

/** Whether all four characters are ASCII, and none is a control character, a quote or a backslash. */
function isPlain(four: number): boolean {
  const controls = four - 0x20202020;
  const quotes = (four ^ 0x22222222) - 0x01010101;
  const backslashes = (four ^ 0x5c5c5c5c) - 0x01010101;
  return ((four | controls | quotes | backslashes) & 0x80808080) === 0;
}

/** The letters of JSON's short escapes, by character. */
const shortEscapes = new Map([
  [0x08, 0x62],
  [0x09, 0x74],
  [0x0a, 0x6e],
  [0x0c, 0x66],
  [0x0d, 0x72],
  [quoteByte, quoteByte],
  [backslashByte, backslashByte],
]);

function writeEscape(byte: number, bytes: Uint8Array, at: number): number {
  bytes[at++] = backslashByte;
  const letter = shortEscapes.get(byte);
  if (letter !== undefined) {
    bytes[at++] = letter;
    return at;
  }
  bytes[at++] = 0x75;
  bytes[at++] = 0x30;
  bytes[at++] = 0x30;
  bytes[at++] = hexDigit(byte >>> 4);
  bytes[at++] = hexDigit(byte & 15);
  return at;
}
