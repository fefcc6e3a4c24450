/** Values of BSON as js-bson has them. */

import { deserialize } from 'bson';
import type { RawValue } from '../../../../src/bson/raw-value.ts';

/** The object as js-bson has it, with the types of its values kept. */
export function decodeDocument(value: RawValue): Record<string, unknown> {
  return deserialize(value.bytes.subarray(value.start, value.end), {
    promoteValues: false,
    bsonRegExp: true,
    validation: { utf8: false },
  });
}

/** The value alone in a document of its own, `{'': value}`, so that js-bson can decode it. */
export function wrapValue(value: RawValue): Buffer {
  const length = value.end - value.start;
  const document = Buffer.alloc(length + 7);
  document.writeInt32LE(length + 7, 0);
  document[4] = value.type;
  value.bytes.copy(document, 6, value.start, value.end);
  return document;
}
