/** The table of types that a column can have in a table that was there before: which BSON types each takes. */

import type { ValueKind, ValueType } from '../column-target.ts';
import { type BsonTypeName, bsonTypes } from '../../bson/types.ts';
import { createArrayEncoder } from './encode-array.ts';
import { encodeBoolean } from './encode-boolean.ts';
import { createBinaryEncoder, encodeObjectIdBytes, encodeUuid, encodeUuidText } from './encode-bytes.ts';
import { createMoneyEncoder } from './encode-money.ts';
import { createSecondsEncoder, encodeDay, encodeTime } from './encode-time.ts';
import { createEnumEncoder, createFormEncoder, createTextEncoder, encodeHexId } from './encode-text.ts';
import {
  encodeDoubleAsFloat,
  encodeDoubleAsInt16,
  encodeDoubleAsInt32,
  encodeDoubleAsInt64,
  encodeEightBytes,
  encodeInt32,
  encodeInt32AsDouble,
  encodeInt32AsFloat,
  encodeInt32AsInt16,
  encodeInt32AsInt64,
  encodeInt64AsDouble,
  encodeInt64AsFloat,
  encodeInt64AsInt16,
  encodeInt64AsInt32,
} from './encode-numbers.ts';
import type { EncodeField } from '../field.ts';
import { limitNumeric } from './limit-numeric.ts';
import {
  encodeDecimal,
  encodeDoubleAsNumeric,
  encodeInt32AsNumeric,
  encodeInt64AsNumeric,
} from './numeric.ts';
import type { NulPolicy } from '../../bson/nul-policy.ts';

/** What a type takes; `json` and `jsonb` take every BSON type. */
export type Takes = Partial<Record<BsonTypeName, EncodeField>>;

export interface TargetOptions {
  readonly nul: NulPolicy;
  /** Of a column of binary values (default: 0). */
  readonly subtype: number;
  /**
   * A text that is too long is written nevertheless, for Postgres to refuse the row in its own words: there is no other
   * place for the value.
   */
  readonly leavesTooLong: boolean;
  /** The encoders of a jsonb or json value by the type byte. */
  createJson(isBinary: boolean): EncodeField[];
}

/** The encoders of a type by the type byte of a value. */
export function createTargetEncoders(type: ValueType, options: TargetOptions): EncodeField[] {
  if (type.kind === 'json' || type.kind === 'jsonb') return options.createJson(type.kind === 'jsonb');
  return listEncoders(tabulate[type.kind](type, options));
}

/** By the type byte; what is not taken is refused. */
export function listEncoders(takes: Takes): EncodeField[] {
  const encoders = Array.from({ length: 256 }, (): EncodeField => refuse);
  for (const [name, encode] of Object.entries(takes) as [BsonTypeName, EncodeField][]) {
    encoders[bsonTypes[name]] = encode;
  }
  return encoders;
}

function refuse(): boolean {
  return false;
}

type Tabulate = (type: ValueType, options: TargetOptions) => Takes;

const tabulate: Readonly<Record<Exclude<ValueKind, 'json' | 'jsonb'>, Tabulate>> = {
  int2: () => ({ int: encodeInt32AsInt16, long: encodeInt64AsInt16, double: encodeDoubleAsInt16 }),
  int4: () => ({ int: encodeInt32, long: encodeInt64AsInt32, double: encodeDoubleAsInt32 }),
  int8: () => ({ int: encodeInt32AsInt64, long: encodeEightBytes, double: encodeDoubleAsInt64 }),
  float4: () => ({ int: encodeInt32AsFloat, long: encodeInt64AsFloat, double: encodeDoubleAsFloat }),
  float8: () => ({ int: encodeInt32AsDouble, long: encodeInt64AsDouble, double: encodeEightBytes }),
  numeric: (type) => ({
    int: limitNumeric(encodeInt32AsNumeric, type),
    long: limitNumeric(encodeInt64AsNumeric, type),
    double: limitNumeric(encodeDoubleAsNumeric, type),
    decimal: limitNumeric(encodeDecimal, type),
  }),
  money: ({ scale = 0 }) => ({
    int: createMoneyEncoder(encodeInt32AsNumeric, scale),
    long: createMoneyEncoder(encodeInt64AsNumeric, scale),
    double: createMoneyEncoder(encodeDoubleAsNumeric, scale),
    decimal: createMoneyEncoder(encodeDecimal, scale),
  }),
  bool: () => ({ bool: encodeBoolean }),
  text: (type, options) => {
    const encode = createTextEncoder(type, options);
    return { string: encode, symbol: encode, objectId: encodeHexId(type) };
  },
  enum: ({ labels = [] }) => ({ string: createEnumEncoder(labels) }),
  uuid: () => ({ binData: encodeUuid, string: encodeUuidText }),
  bytea: (_type, { subtype }) => ({ binData: createBinaryEncoder(subtype), objectId: encodeObjectIdBytes }),
  date: () => ({ date: encodeDay }),
  timestamp: ({ secondPlaces }) => ({ date: createSecondsEncoder(secondPlaces) }),
  time: ({ secondPlaces = 0 }) => ({ string: encodeTime(secondPlaces) }),
  array: ({ element, dimensions = 1 }, options) =>
    element === undefined
      ? {}
      : { array: createArrayEncoder(createTargetEncoders(element, options), element.oid, dimensions) },
  form: (type, { nul }) => ({ string: createFormEncoder(type, nul) }),
};
