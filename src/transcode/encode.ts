/**
 * The table of column types: which BSON types each takes, and what makes fields of a COPY row of their values.
 */

import type { ColumnType, NulPolicy, PlanColumn } from '../plan/plan.ts';
import { bsonTypes, type BsonTypeName } from './bson-types.ts';
import type { BsonBytes } from './bson.ts';
import { createBinaryEncoder, encodeObjectId, encodeObjectIdBytes, encodeUuid } from './encode-bytes.ts';
import { encodeDate } from './encode-date.ts';
import {
  encodeDoubleAsInt32,
  encodeDoubleAsInt64,
  encodeEightBytes,
  encodeInt32,
  encodeInt32AsDouble,
  encodeInt32AsInt64,
  encodeInt64AsDouble,
  encodeInt64AsInt32,
} from './encode-numbers.ts';
import { beginField, beginJson, type EncodeField, endJson } from './field.ts';
import type { JsonWriter } from './json.ts';
import {
  encodeDecimal,
  encodeDoubleAsNumeric,
  encodeInt32AsNumeric,
  encodeInt64AsNumeric,
  encodeWholeDoubleAsNumeric,
} from './numeric.ts';
import type { Output } from './output.ts';
import { copyText } from './utf8.ts';

type Takes = Partial<Record<BsonTypeName, EncodeField>>;

export interface EncodingOptions {
  /** Writes the text of a jsonb column. */
  readonly json: JsonWriter;
  readonly maxJsonBytes: number;
  readonly nul: NulPolicy;
  /** Whether the column is the primary key, in which two values that are different must not become one. */
  readonly isId: boolean;
}

/**
 * One row for each type a column can have; `columnTypes` has its name in Postgres. `any` is for the JsonWriter,
 * which takes every type.
 */
function tabulate(
  { subtype = 0 }: PlanColumn,
  { nul, isId }: EncodingOptions,
): Record<ColumnType, Takes | 'any'> {
  return {
    objectId: { objectId: encodeObjectId },
    objectIdBytes: { objectId: encodeObjectIdBytes },
    string: { string: createTextEncoder(nul) },
    symbol: { symbol: createTextEncoder(nul) },
    int32: { int: encodeInt32, long: encodeInt64AsInt32, double: encodeDoubleAsInt32 },
    int64: { long: encodeEightBytes, int: encodeInt32AsInt64, double: encodeDoubleAsInt64 },
    double: { double: encodeEightBytes, int: encodeInt32AsDouble, long: encodeInt64AsDouble },
    decimal: {
      decimal: encodeDecimal,
      int: encodeInt32AsNumeric,
      long: encodeInt64AsNumeric,
      // By their shortest digits, the double 0.1 and the Decimal128 0.1 would be one.
      double: isId ? encodeWholeDoubleAsNumeric : encodeDoubleAsNumeric,
    },
    boolean: { bool: encodeBoolean },
    date: { date: encodeDate },
    uuid: { binData: encodeUuid },
    binary: { binData: createBinaryEncoder(subtype) },
    json: 'any',
  };
}

/** The encoders of a column by the type byte of a value. */
export function createFieldEncoders(column: PlanColumn, options: EncodingOptions): EncodeField[] {
  const { json, maxJsonBytes } = options;
  const encoders = Array.from({ length: 256 }, (): EncodeField => refuse);
  const takes = tabulate(column, options)[column.type];
  for (const name of Object.keys(bsonTypes) as BsonTypeName[]) {
    const code = bsonTypes[name];
    encoders[code] =
      takes === 'any'
        ? (source, start, end, output) => {
            const lengthAt = beginJson(output);
            json.writeValue(source, code, start, end, output);
            endJson(output, lengthAt, maxJsonBytes);
            return true;
          }
        : (takes[name] ?? refuse);
  }
  return encoders;
}

function refuse(): boolean {
  return false;
}

function createTextEncoder(nul: NulPolicy): EncodeField {
  return (source, start, end, output) => {
    const length = end - start - 5;
    const lengthAt = output.position;
    output.writeInt32(length);
    copyText(source, start + 4, end - 1, output, nul);
    const written = output.position - lengthAt - 4;
    // A NUL was left out or replaced.
    if (written !== length) output.view.setInt32(lengthAt, written);
    return true;
  };
}

function encodeBoolean({ view }: BsonBytes, start: number, _end: number, output: Output): boolean {
  const at = beginField(output, 1);
  output.view.setUint8(at, view.getUint8(start));
  return true;
}
