/** Hashes documents, to detect changes. */

import { createHash } from 'node:crypto';

/** The SHA-256 of its bytes in base64, like Postgres's `encode(sha256(…), 'base64')`. */
export function hashDocument(document: Uint8Array): string {
  return createHash('sha256').update(document).digest('base64');
}
