/** Describes the columns of a plan to the core: what they take, and how it is stored. */

import type { ValueType } from '../column-target.ts';
import type { ColumnType, ValueKind } from '../column-types/names.ts';
import { columnTypes } from '../column-types/registry.ts';
import type { PlanColumn } from '../plan.ts';
import * as codes from './codes.ts';
import { UnsuitedPlan } from './core-names.ts';

/** See `Column` in `assembly/names.ts`. */
export interface CoreType {
  readonly kind: number;
  readonly limit?: number;
  readonly scale?: number;
  /** Of an enum. */
  readonly labels?: readonly string[];
  /** Present for arrays of PostgreSQL, whose elements have the kind. */
  readonly elementOid?: number;
}

/** @throws UnsuitedPlan for types that only TypeScript encodes */
export function describeType({ type, isArray, target }: PlanColumn): CoreType {
  if (target === undefined) {
    return { kind: kinds[type], ...(isArray === true ? { elementOid: columnTypes[type].oid } : {}) };
  }
  const { element, dimensions = 1 } = target;
  if (target.kind !== 'array') return describeTarget(target);
  if (element === undefined || element.kind === 'array' || dimensions > 1) throw new UnsuitedPlan();
  return { ...describeTarget(element), elementOid: element.oid };
}

export function traitsOf(
  { isRequired, isElement, target }: PlanColumn,
  isId: boolean,
  isNested: boolean,
): number {
  return (
    (isId ? codes.columnIsId : 0) +
    (isRequired === true ? codes.columnIsRequired : 0) +
    // The value has another name there, which is rare.
    (isElement === true ? codes.columnIsElement : 0) +
    (isNested ? codes.columnIsNested : 0) +
    (isNested || target?.isNotNull === true ? codes.columnRefusesMisfits : 0)
  );
}

const kinds: Readonly<Record<ColumnType, number>> = {
  objectId: codes.kindObjectId,
  objectIdBytes: codes.kindObjectIdBytes,
  string: codes.kindString,
  symbol: codes.kindSymbol,
  int32: codes.kindInt32,
  int64: codes.kindInt64,
  double: codes.kindDouble,
  decimal: codes.kindDecimal,
  boolean: codes.kindBoolean,
  date: codes.kindDate,
  uuid: codes.kindUuid,
  binary: codes.kindBinary,
  json: codes.kindJson,
};

/** Of existing tables. */
const targetKinds: Readonly<Partial<Record<ValueKind, number>>> = {
  int2: codes.kindInt16,
  int4: codes.kindInt32,
  int8: codes.kindInt64,
  float4: codes.kindFloat,
  float8: codes.kindDouble,
  numeric: codes.kindDecimal,
  bool: codes.kindBoolean,
  money: codes.kindMoney,
  text: codes.kindText,
  enum: codes.kindEnum,
  form: codes.kindString,
  uuid: codes.kindUuidOrText,
  bytea: codes.kindBytes,
  date: codes.kindDay,
  timestamp: codes.kindDate,
  json: codes.kindJsonText,
  jsonb: codes.kindJson,
};

/** Decimal places of the seconds of a date in BSON. */
const datePlaces = 3;
/** Of money: all digits of an int64. */
const moneyDigits = 19;

/** What there is to say beside the kind. */
const details: Readonly<Partial<Record<ValueKind, (type: ValueType) => Partial<CoreType>>>> = {
  numeric: ({ precision, scale = 0 }) => (precision === undefined ? {} : { limit: precision, scale }),
  money: ({ scale = 0 }) => ({ limit: moneyDigits, scale }),
  text: ({ maxCharacters = 0, maxBytes }) =>
    maxBytes === undefined ? { limit: maxCharacters } : { kind: codes.kindName, limit: maxBytes },
  enum: ({ labels = [] }) => ({ labels }),
  timestamp: ({ secondPlaces = datePlaces }) => ({ limit: 10 ** Math.max(0, datePlaces - secondPlaces) }),
};

function describeTarget(type: ValueType): CoreType {
  const kind = targetKinds[type.kind];
  // Whether a string for a form loses digits is decided outside.
  const losesDigits = type.kind === 'form' && (type.secondPlaces !== undefined || type.hasDoubles === true);
  if (kind === undefined || losesDigits) throw new UnsuitedPlan();
  return { kind, ...details[type.kind]?.(type) };
}
