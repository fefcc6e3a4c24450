/** Binary values: their subtypes, and where their bytes are. */

import type { BsonBytes } from './cursor.ts';
import { oldBinarySubtype } from './values.ts';

/** The subtype of UUIDs in the byte order of RFC 9562; that of the older subtype 3 depends on who wrote it. */
export const uuidSubtype = 4;

export function isUuid({ view }: BsonBytes, start: number, end: number): boolean {
  return end - start === 5 + 16 && view.getUint8(start + 4) === uuidSubtype;
}

/** Where the bytes of a binary value begin, after its length and its subtype. */
export function findBinaryContent(view: DataView, start: number): number {
  return start + (view.getUint8(start + 4) === oldBinarySubtype ? 9 : 5);
}
