/** All types of columns. The compiler asks for a definition of each name, and for each part of a definition. */

import { array } from './arrays.ts';
import { bool, boolean } from './boolean.ts';
import { binary, bytea, objectIdBytes, uuid, uuidKind } from './bytes.ts';
import { decimal, money, numeric } from './decimals.ts';
import type { ColumnTypeDefinition, ValueKindDefinition } from './definition.ts';
import { double, float4, float8 } from './floats.ts';
import { int2, int32, int4, int64, int8 } from './integers.ts';
import { json, jsonb, jsonText } from './json.ts';
import type { ColumnType, ValueKind } from './names.ts';
import { enumeration, form, objectId, string, symbol, text } from './texts.ts';
import { date, day, time, timestamp } from './times.ts';

/** The types of a plan. */
export const columnTypes: Readonly<Record<ColumnType, ColumnTypeDefinition>> = {
  objectId,
  objectIdBytes,
  string,
  symbol,
  int32,
  int64,
  double,
  decimal,
  boolean,
  date,
  uuid,
  binary,
  json,
};

/** The types of Postgres. */
export const valueKinds: Readonly<Record<ValueKind, ValueKindDefinition>> = {
  int2,
  int4,
  int8,
  float4,
  float8,
  numeric,
  money,
  bool,
  text,
  enum: enumeration,
  form,
  uuid: uuidKind,
  bytea,
  date: day,
  timestamp,
  time,
  json: jsonText,
  jsonb,
  array,
};
