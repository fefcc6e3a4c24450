/** Encodes object ids, binary values and UUIDs. */

import { findBinaryContent, isUuid } from '../../bson/binary.ts';
import type { BsonBytes } from '../../bson/cursor.ts';
import { beginField, type EncodeField } from '../field.ts';
import { writeHex } from '../../bson/hex.ts';
import type { Output } from '../../bson/output.ts';

/** The 24 digits of an object id. */
export function encodeObjectId({ view }: BsonBytes, start: number, end: number, output: Output): boolean {
  output.writeInt32(24);
  writeHex(view, start, end, output);
  return true;
}

/** The 12 bytes of an object id. */
export function encodeObjectIdBytes(
  { view }: BsonBytes,
  start: number,
  _end: number,
  output: Output,
): boolean {
  const at = beginField(output, 12);
  for (let i = 0; i < 12; i += 4) output.view.setInt32(at + i, view.getInt32(start + i));
  return true;
}

export function encodeUuid(source: BsonBytes, start: number, end: number, output: Output): boolean {
  if (!isUuid(source, start, end)) return false;
  const at = beginField(output, 16);
  for (let i = 0; i < 16; i += 4) output.view.setInt32(at + i, source.view.getInt32(start + 5 + i));
  return true;
}

const uuidText = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** A string in the one form that RFC 9562 has for a UUID. */
export function encodeUuidText({ bytes }: BsonBytes, start: number, end: number, output: Output): boolean {
  if (end - start !== 5 + 36) return false;
  const text = bytes.toString('latin1', start + 4, end - 1);
  if (!uuidText.test(text)) return false;
  const at = beginField(output, 16);
  output.bytes.write(text.replaceAll('-', ''), at, 'hex');
  return true;
}

/** Fewer bytes are copied faster by a loop, which allocates no object. */
const nativeBytes = 64;

/** A bytea column accepts values of one subtype only, since the subtype is not stored. */
export function createBinaryEncoder(subtype: number): EncodeField {
  return ({ bytes, view }, start, end, output) => {
    if (view.getUint8(start + 4) !== subtype) return false;
    const contentStart = findBinaryContent(view, start);
    const length = end - contentStart;
    const at = beginField(output, length);
    if (length >= nativeBytes) output.bytes.set(bytes.subarray(contentStart, end), at);
    else for (let i = 0; i < length; i++) output.bytes[at + i] = view.getUint8(contentStart + i);
    return true;
  };
}
