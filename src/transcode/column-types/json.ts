/** JSON, which accepts any value, and is used for fields of several types. */

import { writeAsItIs } from '../encode/text-form.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { opaque, variable } from './width.ts';

export const json: ColumnTypeDefinition = {
  sql: 'jsonb',
  oid: 3802,
  kind: 'jsonb',
  bsonType: null,
  inferredFrom: null,
  takes: () => 'jsonb',
};

export const jsonText: ValueKindDefinition = {
  planTypes: ['json'],
  isComparedAsText: true,
  width: variable(),
  takes: () => 'json',
  createText: () => writeAsItIs,
};

export const jsonb: ValueKindDefinition = {
  planTypes: ['json'],
  width: opaque,
  takes: () => 'jsonb',
  // Without the version byte.
  createText: () => (source, start, end, output) => {
    writeAsItIs(source, start + 1, end, output);
  },
};
