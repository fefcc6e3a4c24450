/** Chooses the column type for a field in the overflow column. */

import { wrapBytes } from '../../bson/cursor.ts';
import type { BsonValue } from '../../bson/build.ts';
import type { ObjectIdStyle } from '../../config/plan-choices.ts';
import type { ColumnType } from '../../transcode/column-types/names.ts';
import { columnTypes } from '../../transcode/column-types/registry.ts';
import type { PlanColumn } from '../../transcode/plan.ts';
import { chooseColumnType, nameSeenType, type SeenType } from './column-type.ts';

/** The number of values of each type. */
export type SeenCounts = ReadonlyMap<SeenType, number>;

export function nameSeen({ type, bytes }: BsonValue): SeenType {
  const element = { type, nameStart: 0, nameEnd: 0, valueStart: 0, valueEnd: bytes.byteLength };
  return nameSeenType(wrapBytes(bytes), element);
}

/**
 * The type that a plan would infer, except that a mix of scalar types does not become jsonb: the user has to choose.
 * @returns null if only a `json` column could hold all values, or if all values are null
 */
export function choosePromotedType(seen: SeenCounts, objectId: ObjectIdStyle = 'text'): ColumnType | null {
  const types = [...seen.keys()].filter((type) => type !== 'null');
  const type = chooseColumnType(types);
  if (types.length === 0 || (type === 'json' && types.some((one) => chooseColumnType([one]) !== 'json'))) {
    // Types without a column type of their own, such as documents and arrays, may be mixed.
    return null;
  }
  return type === 'objectId' && objectId === 'bytea' ? 'objectIdBytes' : type;
}

/** The type of most values, as a suggestion; `json` if all are null. */
export function suggestType(seen: SeenCounts): ColumnType {
  const [most] = [...seen].filter(([type]) => type !== 'null').sort(([, a], [, b]) => b - a);
  return most === undefined ? 'json' : chooseColumnType([most[0]]);
}

/** Whether a column of the type could hold any of the values. */
export function mayFit(type: ColumnType, seen: SeenCounts): boolean {
  const takes = columnTypes[type].takes({ field: '', column: '', type }, 'reject');
  if (typeof takes === 'string') return true;
  const taken = Object.keys(takes);
  return [...seen.keys()].some((name) => taken.includes(isBinary(name) ? 'binData' : name));
}

/** The column for the type. A column of binary values gets their subtype if all have the same. */
export function definePromoted(
  field: string,
  column: string,
  type: ColumnType,
  seen: SeenCounts,
): PlanColumn {
  const planned = { field, column, type };
  if (type !== 'binary') return planned;
  const subtypes = new Set([...seen.keys()].filter(isBinary).map(subtypeOf));
  const [subtype = 0] = subtypes;
  return subtypes.size === 1 && subtype !== 0 ? { ...planned, subtype } : planned;
}

function isBinary(type: SeenType): boolean {
  return type === 'uuid' || type.startsWith('binData');
}

function subtypeOf(type: SeenType): number {
  if (type === 'uuid') return 4;
  return Number(/\d+$/.exec(type)?.[0] ?? 0);
}
