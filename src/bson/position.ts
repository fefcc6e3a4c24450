/** Positions in a dump: the end offset of a document, with its `_id` for people. */

import { BsonError, bsonTypes } from './types.ts';
import { findField } from './cursor.ts';
import { copyId } from './document-id.ts';

const name = Buffer.from('offset\0');

/**
 * `{_id: …, offset: Long}` as BSON; without `_id` if the document has none, or is too corrupt to find it.
 * @param offset the end of the document in the uncompressed dump
 */
export function offsetPosition(document: Uint8Array, offset: number): Uint8Array {
  const id = tryCopyId(document);
  const elements = id?.subarray(4, id.byteLength - 1) ?? Buffer.alloc(0);
  const position = Buffer.alloc(4 + elements.byteLength + 1 + name.byteLength + 8 + 1);
  position.writeInt32LE(position.byteLength);
  position.set(elements, 4);
  const start = 4 + elements.byteLength;
  position[start] = bsonTypes.long;
  position.set(name, start + 1);
  position.writeBigInt64LE(BigInt(offset), start + 1 + name.byteLength);
  return position;
}

/** Null for the position of a document in a collection. */
export function readOffset(position: Uint8Array): number | null {
  const field = findField(position, 'offset');
  if (field?.type !== bsonTypes.long) return null;
  return Number(
    new DataView(position.buffer, position.byteOffset + field.valueStart, 8).getBigInt64(0, true),
  );
}

function tryCopyId(document: Uint8Array): Uint8Array | null {
  try {
    return copyId(document);
  } catch (error) {
    if (error instanceof BsonError) return null;
    throw error;
  }
}
