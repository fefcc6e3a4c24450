/** Integers. */

import { writeInteger } from '../../bson/digits.ts';
import { readInt64 } from '../encode/text-form.ts';
import {
  encodeDoubleAsInt16,
  encodeDoubleAsInt32,
  encodeDoubleAsInt64,
  encodeEightBytes,
  encodeInt32,
  encodeInt32AsInt16,
  encodeInt32AsInt64,
  encodeInt64AsInt16,
  encodeInt64AsInt32,
} from '../encode/encode-numbers.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { fixed } from './width.ts';

export const int32: ColumnTypeDefinition = {
  sql: 'integer',
  oid: 23,
  kind: 'int4',
  bsonType: 'int',
  inferredFrom: 'int',
  widened: { int64: 'int64', double: 'double', decimal: 'decimal' },
  takes: () => ({ int: encodeInt32, long: encodeInt64AsInt32, double: encodeDoubleAsInt32 }),
};

export const int64: ColumnTypeDefinition = {
  sql: 'bigint',
  oid: 20,
  kind: 'int8',
  bsonType: 'long',
  inferredFrom: 'long',
  widened: { int32: 'int64', double: 'decimal', decimal: 'decimal' },
  takes: () => ({ long: encodeEightBytes, int: encodeInt32AsInt64, double: encodeDoubleAsInt64 }),
};

export const int2: ValueKindDefinition = {
  planTypes: ['int32', 'int64', 'double', 'decimal'],
  width: fixed(2),
  takes: () => ({ int: encodeInt32AsInt16, long: encodeInt64AsInt16, double: encodeDoubleAsInt16 }),
  createText: () => (source, start, _end, output) => {
    writeInteger(source.view.getInt16(start), output);
  },
};

export const int4: ValueKindDefinition = {
  planTypes: ['int32', 'int64', 'double', 'decimal'],
  width: fixed(4),
  takes: () => ({ int: encodeInt32, long: encodeInt64AsInt32, double: encodeDoubleAsInt32 }),
  createText: () => (source, start, _end, output) => {
    writeInteger(source.view.getInt32(start), output);
  },
};

export const int8: ValueKindDefinition = {
  planTypes: ['int64', 'int32', 'double', 'decimal'],
  width: fixed(8),
  takes: () => ({ int: encodeInt32AsInt64, long: encodeEightBytes, double: encodeDoubleAsInt64 }),
  createText: () => (source, start, _end, output) => {
    const value = readInt64(source.view, start);
    if (Number.isSafeInteger(value)) writeInteger(value, output);
    else output.writeAscii(String(source.view.getBigInt64(start)));
  },
};
