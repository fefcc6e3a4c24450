/** Bytes and UUIDs. */

import { writeHex, writeUuid } from '../../bson/hex.ts';
import {
  createBinaryEncoder,
  encodeObjectIdBytes,
  encodeUuid,
  encodeUuidText,
} from '../encode/encode-bytes.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { fixed, variable } from './width.ts';

/** Used instead of `objectId` with `OBJECT_ID=bytea`. */
export const objectIdBytes: ColumnTypeDefinition = {
  sql: 'bytea',
  oid: 17,
  kind: 'bytea',
  bsonType: 'objectId',
  inferredFrom: null,
  takes: () => ({ objectId: encodeObjectIdBytes }),
};

export const binary: ColumnTypeDefinition = {
  sql: 'bytea',
  oid: 17,
  kind: 'bytea',
  bsonType: 'binData',
  inferredFrom: 'binData',
  takes: ({ subtype = 0 }) => ({ binData: createBinaryEncoder(subtype) }),
};

export const uuid: ColumnTypeDefinition = {
  sql: 'uuid',
  oid: 2950,
  kind: 'uuid',
  bsonType: 'binData',
  inferredFrom: 'uuid',
  takes: () => ({ binData: encodeUuid }),
};

export const bytea: ValueKindDefinition = {
  planTypes: ['binary', 'objectIdBytes'],
  width: variable(),
  takes: (_type, { subtype }) => ({ binData: createBinaryEncoder(subtype), objectId: encodeObjectIdBytes }),
  createText: () => (source, start, end, output) => {
    output.writeAscii(String.raw`\x`);
    writeHex(source.view, start, end, output);
  },
};

export const uuidKind: ValueKindDefinition = {
  planTypes: ['uuid', 'string'],
  width: fixed(16, 1),
  takes: () => ({ binData: encodeUuid, string: encodeUuidText }),
  createText: () => (source, start, _end, output) => {
    writeUuid(source.view, start, output);
  },
};
