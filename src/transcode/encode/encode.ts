/**
 * The table of column types: which BSON types each takes, and what makes fields of a COPY row of their values.
 */

import { isIdColumn, type PlanColumn } from '../plan.ts';
import { bsonTypes } from '../../bson/types.ts';
import { encodeBoolean } from './encode-boolean.ts';
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
import { createTargetEncoders, listEncoders, type Takes } from './encode-target.ts';
import { plainTextEncoder } from './encode-text.ts';
import { beginJson, beginPlainJson, type EncodeField, endJson } from '../field.ts';
import type { JsonWriter } from '../../bson/json/json-writer.ts';
import {
  encodeDecimal,
  encodeDoubleAsNumeric,
  encodeInt32AsNumeric,
  encodeInt64AsNumeric,
  encodeWholeDoubleAsNumeric,
} from './numeric.ts';
import type { NulPolicy } from '../../bson/nul-policy.ts';
import type { ColumnType } from '../column-types.ts';

export interface EncodingOptions {
  /** Writes the text of a jsonb column. */
  readonly json: JsonWriter;
  readonly maxJsonBytes: number;
  readonly nul: NulPolicy;
  /** A value that its column does not take has a place beside it, in the extra column. */
  readonly hasExtra: boolean;
}

/**
 * One row for each type a column can have; `columnTypes` has its name in Postgres. `any` is for the JsonWriter,
 * which takes every type.
 */
function tabulate(column: PlanColumn, nul: NulPolicy): Record<ColumnType, Takes | 'any'> {
  return {
    objectId: { objectId: encodeObjectId },
    objectIdBytes: { objectId: encodeObjectIdBytes },
    string: { string: plainTextEncoder(nul) },
    symbol: { symbol: plainTextEncoder(nul) },
    int32: { int: encodeInt32, long: encodeInt64AsInt32, double: encodeDoubleAsInt32 },
    int64: { long: encodeEightBytes, int: encodeInt32AsInt64, double: encodeDoubleAsInt64 },
    double: { double: encodeEightBytes, int: encodeInt32AsDouble, long: encodeInt64AsDouble },
    decimal: {
      decimal: encodeDecimal,
      int: encodeInt32AsNumeric,
      long: encodeInt64AsNumeric,
      // By their shortest digits, the double 0.1 and the Decimal128 0.1 would be one.
      double: isIdColumn(column) ? encodeWholeDoubleAsNumeric : encodeDoubleAsNumeric,
    },
    boolean: { bool: encodeBoolean },
    date: { date: encodeDate },
    uuid: { binData: encodeUuid },
    binary: { binData: createBinaryEncoder(column.subtype ?? 0) },
    json: 'any',
  };
}

/** The encoders of a column by the type byte of a value. */
export function createFieldEncoders(column: PlanColumn, options: EncodingOptions): EncodeField[] {
  const { nul, hasExtra } = options;
  const { target, subtype = 0 } = column;
  if (target !== undefined) {
    const leavesTooLong = !hasExtra || target.isNotNull === true;
    const createJson = (isBinary: boolean): EncodeField[] => createJsonEncoders(options, isBinary);
    return createTargetEncoders(target, { nul, subtype, leavesTooLong, createJson });
  }
  const takes = tabulate(column, nul)[column.type];
  return takes === 'any' ? createJsonEncoders(options, true) : listEncoders(takes);
}

/** @param isBinary of jsonb, and not of json */
function createJsonEncoders({ json, maxJsonBytes }: EncodingOptions, isBinary: boolean): EncodeField[] {
  const begin = isBinary ? beginJson : beginPlainJson;
  const entries = Object.entries(bsonTypes).map(([name, code]): [string, EncodeField] => [
    name,
    (source, start, end, output) => {
      const lengthAt = begin(output);
      json.writeValue(source, code, start, end, output);
      endJson(output, lengthAt, maxJsonBytes);
      return true;
    },
  ]);
  return listEncoders(Object.fromEntries(entries));
}
