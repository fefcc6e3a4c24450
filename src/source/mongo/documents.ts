/** Reads raw documents of a reply, and their `_id`s. */

import { SourceError } from '../../common/errors.ts';
import { findField } from '../../bson/cursor.ts';
import { copyId } from '../../bson/document-id.ts';

/** The BSON array of documents in a reply's `cursor`. */
export function readBatch(cursor: Uint8Array): Uint8Array {
  const batch = findField(cursor, 'firstBatch') ?? findField(cursor, 'nextBatch');
  if (batch === null) {
    throw new SourceError("the server's reply has no batch of documents", { code: 'MONGO_REPLY' });
  }
  return cursor.subarray(batch.valueStart, batch.valueEnd);
}

/** `{_id: …}` of a document, as BSON. @throws SourceError if it has none */
export function requireId(document: Uint8Array): Uint8Array {
  const id = copyId(document);
  if (id !== null) return id;
  throw new SourceError('the server returned a document without an _id', {
    code: 'ID_MISSING',
    fix: 'it may be a view or a special collection; only collections with _id can be copied.',
  });
}
