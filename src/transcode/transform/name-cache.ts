/** Field names as text: documents of a collection have the same few, and decoding each again would cost more than comparing bytes. */

import type { BsonBytes } from '../../bson/cursor.ts';

/** A longer name is decoded each time. */
const maxLength = 64;
/** A power of two. */
const slots = 256;

interface KnownName {
  readonly bytes: Uint8Array;
  readonly text: string;
}

const known: (KnownName | undefined)[] = Array.from({ length: slots });

/** @param decode for a name that is not known */
export function readName(
  source: BsonBytes,
  start: number,
  end: number,
  decode: (source: BsonBytes, start: number, end: number) => string,
): string {
  const { bytes } = source;
  const length = end - start;
  if (length === 0 || length > maxLength) return decode(source, start, end);
  const middle = start + (length >> 1);
  const hash = length * 31 + (bytes[start] ?? 0) * 7 + (bytes[middle] ?? 0) * 13 + (bytes[end - 1] ?? 0) * 3;
  const slot = hash & (slots - 1);
  const found = known[slot];
  if (found !== undefined && isSame(found.bytes, bytes, start, length)) return found.text;
  const text = decode(source, start, end);
  // The latest one stays, so that names that are keys of data do not keep out those of fields for ever.
  known[slot] = { bytes: Uint8Array.prototype.slice.call(bytes, start, end), text };
  return text;
}

function isSame(name: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (name.length !== length) return false;
  for (let index = 0; index < length; index++) {
    if (name[index] !== bytes[start + index]) return false;
  }
  return true;
}
