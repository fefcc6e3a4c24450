/** Tells a document from any other, and from itself once it is changed. */

import { createHash } from 'node:crypto';

/** SHA-256 of its bytes in base64, as Postgres's `encode(sha256(…), 'base64')` has it. */
export function hashDocument(document: Uint8Array): string {
  return createHash('sha256').update(document).digest('base64');
}
