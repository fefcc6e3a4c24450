/** Text, and types that Postgres reads from text. */

import { writeAsItIs } from '../encode/text-form.ts';
import { encodeObjectId } from '../encode/encode-bytes.ts';
import {
  createEnumEncoder,
  createFormEncoder,
  createTextEncoder,
  encodeHexId,
  plainTextEncoder,
} from '../encode/encode-text.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { fixed, unknown, variable } from './width.ts';

export const objectId: ColumnTypeDefinition = {
  sql: 'text',
  oid: 25,
  kind: 'text',
  bsonType: 'objectId',
  inferredFrom: 'objectId',
  takes: () => ({ objectId: encodeObjectId }),
};

export const string: ColumnTypeDefinition = {
  sql: 'text',
  oid: 25,
  kind: 'text',
  bsonType: 'string',
  inferredFrom: 'string',
  takes: (_column, nul) => ({ string: plainTextEncoder(nul) }),
};

export const symbol: ColumnTypeDefinition = {
  sql: 'text',
  oid: 25,
  kind: 'text',
  bsonType: 'symbol',
  inferredFrom: 'symbol',
  takes: (_column, nul) => ({ symbol: plainTextEncoder(nul) }),
};

export const text: ValueKindDefinition = {
  planTypes: ['string', 'objectId', 'symbol'],
  isComparedAsText: true,
  width: variable(),
  takes: (type, options) => {
    const encode = createTextEncoder(type, options);
    return { string: encode, symbol: encode, objectId: encodeHexId(type) };
  },
  createText: () => writeAsItIs,
};

export const enumeration: ValueKindDefinition = {
  planTypes: ['string'],
  width: fixed(4),
  takes: ({ labels = [] }) => ({ string: createEnumEncoder(labels) }),
  createText: () => writeAsItIs,
};

export const form: ValueKindDefinition = {
  planTypes: ['string'],
  isComparedAsText: true,
  width: unknown,
  takes: (type, { nul }) => ({ string: createFormEncoder(type, nul) }),
  createText: () => writeAsItIs,
};
