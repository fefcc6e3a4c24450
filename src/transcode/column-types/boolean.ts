/** Booleans. */

import { encodeBoolean } from '../encode/encode-boolean.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { fixed } from './width.ts';

export const boolean: ColumnTypeDefinition = {
  sql: 'boolean',
  oid: 16,
  kind: 'bool',
  bsonType: 'bool',
  inferredFrom: 'bool',
  takes: () => ({ bool: encodeBoolean }),
};

export const bool: ValueKindDefinition = {
  planTypes: ['boolean'],
  width: fixed(1),
  takes: () => ({ bool: encodeBoolean }),
  createText: () => (source, start, _end, output) => {
    output.writeByte(source.view.getUint8(start) === 0 ? 0x66 : 0x74);
  },
};
