/** Copies UTF-8 text, and checks that Postgres can store it. */

import { isUtf8 } from 'node:buffer';
import type { BsonBytes } from './cursor.ts';
import { DocumentError } from './document-error.ts';
import type { Output } from './output.ts';
import { type NulPolicy, writeNul } from './nul-policy.ts';

/**
 * From about this length on, native functions are faster than a loop in JavaScript (measured on Node 20).
 */
const nativeBytes = 64;

/**
 * Copies text unchanged, except U+0000, for which `nul` is the policy.
 * @throws DocumentError if it is not UTF-8, or has a U+0000 that the policy rejects
 */
export function copyText(
  source: BsonBytes,
  start: number,
  end: number,
  output: Output,
  nul: NulPolicy,
): void {
  output.reserve(end - start);
  if (end - start >= nativeBytes) {
    const text = source.bytes.subarray(start, end);
    if (isUtf8(text) && !text.includes(0)) {
      output.bytes.set(text, output.position);
      output.position += text.length;
      return;
    }
    // The loop below finds the byte.
  }
  const { view } = source;
  let { bytes, position: at } = output;
  let i = start;
  // Fast path: four characters at a time, until one of them is NUL or not ASCII.
  for (; i + 4 <= end && isPlain(view.getInt32(i)); i += 4, at += 4) {
    output.view.setInt32(at, view.getInt32(i));
  }
  for (; i < end; i++) {
    const byte = view.getUint8(i);
    if (byte >= 0x80) {
      const last = i + measureSequence(view, i, end) - 1;
      for (; i < last; i++) bytes[at++] = view.getUint8(i);
      bytes[at++] = view.getUint8(i);
    } else if (byte !== 0) {
      bytes[at++] = byte;
    } else {
      output.position = at;
      writeNul(nul, i, end, output);
      ({ bytes, position: at } = output);
    }
  }
  output.position = at;
}

/** Whether all four characters are ASCII, and none is NUL. */
function isPlain(four: number): boolean {
  return ((four | (four - 0x01010101)) & 0x80808080) === 0;
}

/**
 * The length of the sequence of two to four bytes at `start`.
 * https://www.unicode.org/versions/Unicode16.0.0/core-spec/chapter-3/#G27506 (Table 3-7; surrogates are excluded)
 * @throws DocumentError if it is not well-formed UTF-8
 */
export function measureSequence(view: DataView, start: number, end: number): number {
  const first = view.getUint8(start);
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || length > end - start) throw invalidError(start);
  const second = view.getUint8(start + 1);
  const min = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const max = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < min || second > max) throw invalidError(start);
  for (let i = start + 2; i < start + length; i++) {
    if ((view.getUint8(i) & 0xc0) !== 0x80) throw invalidError(start);
  }
  return length;
}

function invalidError(offset: number): DocumentError {
  return new DocumentError('invalid_utf8', 'bytes that are not UTF-8', offset);
}
