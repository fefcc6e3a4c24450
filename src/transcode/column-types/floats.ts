/** Floating-point numbers. */

import { writeDouble } from '../encode/text-form.ts';
import {
  encodeDoubleAsFloat,
  encodeEightBytes,
  encodeInt32AsDouble,
  encodeInt32AsFloat,
  encodeInt64AsDouble,
  encodeInt64AsFloat,
} from '../encode/encode-numbers.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { fixed } from './width.ts';

export const double: ColumnTypeDefinition = {
  sql: 'double precision',
  oid: 701,
  kind: 'float8',
  bsonType: 'double',
  inferredFrom: 'double',
  widened: { int32: 'double', int64: 'decimal', decimal: 'decimal' },
  takes: () => ({ double: encodeEightBytes, int: encodeInt32AsDouble, long: encodeInt64AsDouble }),
};

export const float4: ValueKindDefinition = {
  planTypes: ['double', 'int32', 'int64', 'decimal'],
  width: fixed(4),
  takes: () => ({ int: encodeInt32AsFloat, long: encodeInt64AsFloat, double: encodeDoubleAsFloat }),
  // The shortest digits that are this double are those of a float as well.
  createText: () => (source, start, _end, output) => {
    writeDouble(source.view.getFloat32(start), output);
  },
};

export const float8: ValueKindDefinition = {
  planTypes: ['double', 'int32', 'int64', 'decimal'],
  width: fixed(8),
  takes: () => ({ int: encodeInt32AsDouble, long: encodeInt64AsDouble, double: encodeEightBytes }),
  createText: () => (source, start, _end, output) => {
    writeDouble(source.view.getFloat64(start), output);
  },
};
