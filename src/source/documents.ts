/** Raw documents of a reply: listed, and told by their `_id`. */

import { SourceError } from '../errors.ts';
import { DocumentCursor, findField } from '../transcode/bson.ts';

/** @param array the bytes of a BSON array of documents */
export function listDocuments(array: Uint8Array): Uint8Array[] {
  const documents: Uint8Array[] = [];
  for (const cursor = new DocumentCursor(array); cursor.next();) {
    documents.push(array.subarray(cursor.start, cursor.end));
  }
  return documents;
}

/** `{_id: …}` of a document, as BSON; a copy, so that it does not keep its page in memory. */
export function copyId(document: Uint8Array): Uint8Array {
  const element = findField(document, '_id');
  if (element === null) {
    throw new SourceError('a document without an _id came from the server', {
      fix: 'a view or a special collection may have such; only collections with _id can be copied.',
    });
  }
  const elementBytes = document.subarray(element.nameStart - 1, element.valueEnd);
  const id = Buffer.alloc(4 + elementBytes.byteLength + 1);
  id.writeInt32LE(id.byteLength);
  id.set(elementBytes, 4);
  return id;
}
