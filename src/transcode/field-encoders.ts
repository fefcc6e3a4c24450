/** Chooses the encoders of a column: one for each type byte. */

import type { JsonWriter } from '../bson/json/json-writer.ts';
import type { NulPolicy } from '../bson/nul-policy.ts';
import { type BsonTypeName, bsonTypes } from '../bson/types.ts';
import type { ValueType } from './column-target.ts';
import type { KindOptions, Takes, TakesAll } from './column-types/definition.ts';
import { columnTypes, valueKinds } from './column-types/registry.ts';
import { createArrayEncoder } from './encode/encode-array.ts';
import { beginJson, beginPlainJson, type EncodeField, endJson } from './field.ts';
import type { PlanColumn } from './plan.ts';

export interface EncodingOptions {
  /** Writes the text of a jsonb column. */
  readonly json: JsonWriter;
  readonly maxJsonBytes: number;
  readonly nul: NulPolicy;
  /** Whether values that do not fit can go to an extra column. */
  readonly hasExtra: boolean;
}

/** The encoders of a column by the type byte of a value. */
export function createFieldEncoders(column: PlanColumn, options: EncodingOptions): EncodeField[] {
  const { nul, hasExtra } = options;
  const { target, subtype = 0 } = column;
  if (target === undefined) {
    const { takes, oid } = columnTypes[column.type];
    const encoders = listEncoders(takes(column, nul), options);
    if (column.isArray !== true) return encoders;
    return listEncoders({ array: createArrayEncoder(encoders, oid, 1) }, options);
  }
  const kindOptions: KindOptions = {
    nul,
    subtype,
    leavesTooLong: !hasExtra || target.isNotNull === true,
    createInner: (type) => createKindEncoders(type, kindOptions, options),
  };
  return createKindEncoders(target, kindOptions, options);
}

function createKindEncoders(
  type: ValueType,
  kindOptions: KindOptions,
  options: EncodingOptions,
): EncodeField[] {
  return listEncoders(valueKinds[type.kind].takes(type, kindOptions), options);
}

/** By type byte; other values are refused. */
function listEncoders(takes: Takes | TakesAll, options: EncodingOptions): EncodeField[] {
  const all = typeof takes === 'string' ? takeAll(options, takes === 'jsonb') : takes;
  const encoders = Array.from({ length: 256 }, (): EncodeField => refuse);
  for (const [name, encode] of Object.entries(all) as [BsonTypeName, EncodeField][]) {
    encoders[bsonTypes[name]] = encode;
  }
  return encoders;
}

function refuse(): boolean {
  return false;
}

/** @param isBinary true for jsonb, false for json */
function takeAll({ json, maxJsonBytes }: EncodingOptions, isBinary: boolean): Takes {
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
  return Object.fromEntries(entries);
}
