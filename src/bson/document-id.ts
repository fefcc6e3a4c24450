/** Extracts a document's `_id` as BSON, for the ledger, positions and cuts. */

import { findField } from './cursor.ts';

/** `{_id: …}` of a document, as BSON. It is a copy, because a view would keep the page in memory. Null if it has none. */
export function copyId(document: Uint8Array): Uint8Array | null {
  const element = findField(document, '_id');
  if (element === null) return null;
  const elementBytes = document.subarray(element.nameStart - 1, element.valueEnd);
  const id = Buffer.alloc(4 + elementBytes.byteLength + 1);
  id.writeInt32LE(id.byteLength);
  id.set(elementBytes, 4);
  return id;
}

/** Converts bytes, such as an `_id` as BSON, to a string that can be the key of a map. */
export function nameOfBytes(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1');
}
