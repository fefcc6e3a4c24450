/** Subtypes and layout of binary values. */

import type { BsonBytes } from './cursor.ts';
import { oldBinarySubtype } from './values.ts';

/** The subtype of UUIDs in the byte order of RFC 9562. The byte order of the older subtype 3 depends on the driver. */
const uuidSubtype = 4;

export function isUuid({ view }: BsonBytes, start: number, end: number): boolean {
  return end - start === 5 + 16 && view.getUint8(start + 4) === uuidSubtype;
}

/** The offset of the bytes of a binary value, after its length and its subtype. */
export function findBinaryContent(view: DataView, start: number): number {
  return start + (view.getUint8(start + 4) === oldBinarySubtype ? 9 : 5);
}
