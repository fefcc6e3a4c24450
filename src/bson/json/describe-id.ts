/** A document's `_id` for people and for the ledger: canonical Extended JSON. */

import { BsonError } from '../types.ts';
import { findField, wrapBytes } from '../cursor.ts';
import { DocumentError } from '../document-error.ts';
import { JsonWriter } from './json-writer.ts';
import { Output } from '../output.ts';

/** Most ids are shorter than this as text. The buffer grows if needed. */
const idBytes = 256;

const json = new JsonWriter({ style: 'canonical', nul: 'reject', keepsOrder: true });

/** Null if the document has no `_id`, or one that cannot be read or stored. */
export function describeId(document: Uint8Array): string | null {
  const output = new Output(idBytes);
  try {
    const id = findField(document, '_id');
    if (id === null) return null;
    json.writeValue(wrapBytes(document), id.type, id.valueStart, id.valueEnd, output);
  } catch (error) {
    if (error instanceof DocumentError || error instanceof BsonError) return null;
    throw error;
  }
  return output.bytes.toString('utf8', 0, output.position);
}
