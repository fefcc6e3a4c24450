/** Encodes booleans. */

import type { BsonBytes } from '../../bson/cursor.ts';
import { beginField } from '../field.ts';
import type { Output } from '../../bson/output.ts';

export function encodeBoolean({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const at = beginField(output, 1);
  output.view.setUint8(at, view.getUint8(start));
  return true;
}
