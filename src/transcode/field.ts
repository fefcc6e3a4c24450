/**
 * A field of a binary COPY row, which is an int32 length and the bytes:
 * https://www.postgresql.org/docs/current/sql-copy.html (Binary Format).
 */

import type { BsonBytes } from '../bson/cursor.ts';
import { DocumentError } from '../bson/document-error.ts';
import type { Output } from '../bson/output.ts';

/**
 * Writes the value from `start` to before `end` as a field; or writes nothing and returns false when the value
 * is not exactly one of the column's type. Throws a DocumentError if no column can hold it.
 */
export type EncodeField = (source: BsonBytes, start: number, end: number, output: Output) => boolean;

/** The length that marks NULL. */
export const copyNull = -1;

/** Begins a field of a known length. Returns the position of its bytes. */
export function beginField(output: Output, length: number): number {
  output.reserve(4 + length);
  const at = output.position;
  output.view.setInt32(at, length);
  output.position = at + 4 + length;
  return at + 4;
}

/** The only version of jsonb's binary form: this byte, then the JSON text. */
const jsonbVersion = 1;

/** Begins a jsonb field, the text of which the caller writes. Returns what `endJson` needs. */
export function beginJson(output: Output): number {
  const lengthAt = output.position;
  output.writeInt32(0);
  output.writeByte(jsonbVersion);
  return lengthAt;
}

/** Begins a json field, which is nothing but the text. */
export function beginPlainJson(output: Output): number {
  const lengthAt = output.position;
  output.writeInt32(0);
  return lengthAt;
}

/** Ends a json or jsonb field. Throws a DocumentError if it is longer than `maxJsonBytes`. */
export function endJson(output: Output, lengthAt: number, maxJsonBytes: number): void {
  const length = output.position - lengthAt - 4;
  if (length > maxJsonBytes) throw new DocumentError('too_large', `${length} bytes of jsonb`);
  output.view.setInt32(lengthAt, length);
}
