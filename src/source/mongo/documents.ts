/** Raw documents of a reply: listed, and told by their `_id`. */

import { SourceError } from '../../common/errors.ts';
import { findField } from '../../bson/cursor.ts';
import { copyId } from '../../bson/document-id.ts';

/** The array of documents in a reply's `cursor`, as BSON bytes. */
export function readBatch(cursor: Uint8Array): Uint8Array {
  const batch = findField(cursor, 'firstBatch') ?? findField(cursor, 'nextBatch');
  if (batch === null) {
    throw new SourceError('the server answered without a batch of documents', { code: 'MONGO_REPLY' });
  }
  return cursor.subarray(batch.valueStart, batch.valueEnd);
}

/** `{_id: …}` of a document, as BSON. @throws SourceError when it has none */
export function requireId(document: Uint8Array): Uint8Array {
  const id = copyId(document);
  if (id !== null) return id;
  throw new SourceError('a document without an _id came from the server', {
    code: 'ID_MISSING',
    fix: 'a view or a special collection may have such; only collections with _id can be copied.',
  });
}
