/** Dates and times. */

import { readInt64, writeDate, writeMicros, writeTimestamp } from '../encode/text-form.ts';
import { encodeDate } from '../encode/encode-date.ts';
import { createSecondsEncoder, encodeDay, encodeTime } from '../encode/encode-time.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { fixed } from './width.ts';

export const date: ColumnTypeDefinition = {
  sql: 'timestamp with time zone',
  oid: 1184,
  kind: 'timestamp',
  bsonType: 'date',
  inferredFrom: 'date',
  takes: () => ({ date: encodeDate }),
};

export const day: ValueKindDefinition = {
  planTypes: ['date'],
  width: fixed(4),
  takes: () => ({ date: encodeDay }),
  createText: () => writeDate,
};

export const timestamp: ValueKindDefinition = {
  planTypes: ['date'],
  width: fixed(8),
  takes: ({ secondPlaces }) => ({ date: createSecondsEncoder(secondPlaces) }),
  createText: () => writeTimestamp,
};

export const time: ValueKindDefinition = {
  planTypes: ['string'],
  width: fixed(8),
  takes: ({ secondPlaces = 0 }) => ({ string: encodeTime(secondPlaces) }),
  createText: () => (source, start, _end, output) => {
    writeMicros(readInt64(source.view, start), output);
  },
};
