/** A document's `_id` as BSON: what the ledger, positions and cuts are made of. */

import { findField } from './cursor.ts';

/** `{_id: …}` of a document, as BSON; a copy, so that it does not keep its page in memory. Null when it has none. */
export function copyId(document: Uint8Array): Uint8Array | null {
  const element = findField(document, '_id');
  if (element === null) return null;
  const elementBytes = document.subarray(element.nameStart - 1, element.valueEnd);
  const id = Buffer.alloc(4 + elementBytes.byteLength + 1);
  id.writeInt32LE(id.byteLength);
  id.set(elementBytes, 4);
  return id;
}
