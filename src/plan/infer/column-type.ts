/** Chooses the column type of a field by the types of its values in a sample. */

import type { BsonBytes, ElementPosition } from '../../bson/cursor.ts';
import { bsonTypes, type BsonTypeName, nameOfType } from '../../bson/types.ts';
import { isUuid } from '../../bson/binary.ts';
import { type ColumnType, columnTypeNames } from '../../transcode/column-types/names.ts';
import type { ObjectIdStyle } from '../../config/plan-choices.ts';
import { columnTypes } from '../../transcode/column-types/registry.ts';

/**
 * A BSON type. Binary values of different subtypes count as different types, because they need different columns; `binData`
 * is subtype 0.
 */
export type SeenType = BsonTypeName | 'uuid' | `binData of subtype ${number}`;

/** The column types by BSON type; all other types go to jsonb. */
const inferred = new Map<SeenType, ColumnType>();
for (const name of columnTypeNames) {
  const { inferredFrom } = columnTypes[name];
  if (inferredFrom !== null) inferred.set(inferredFrom, name);
}

/** The type of the value at `element`. */
export function nameSeenType(source: BsonBytes, element: ElementPosition): SeenType {
  const { type, valueStart, valueEnd } = element;
  if (type !== bsonTypes.binData) return nameOfType(type);
  if (isUuid(source, valueStart, valueEnd)) return 'uuid';
  const subtype = source.view.getUint8(valueStart + 4);
  return subtype === 0 ? 'binData' : `binData of subtype ${subtype}`;
}

/** Null does not count. A field that is always null becomes `json`, because it may be anything. */
export function chooseColumnType(seen: Iterable<SeenType>): ColumnType {
  let chosen: ColumnType | undefined;
  for (const type of seen) {
    if (type !== 'null') chosen = widen(chosen, inferred.get(type) ?? 'json');
  }
  return chosen ?? 'json';
}

/**
 * The type of the primary key. There null is a value like any other, and a different double and Decimal128 could become the
 * same numeric.
 */
export function chooseIdType(seen: ReadonlySet<SeenType>): ColumnType {
  if (seen.has('null')) return 'json';
  const type = chooseColumnType(seen);
  return type === 'decimal' && seen.size > 1 ? 'json' : type;
}

/** Replaces the type of ObjectIds according to the style. */
export function withObjectIdStyle(type: ColumnType, style: ObjectIdStyle): ColumnType {
  return type === 'objectId' && style === 'bytea' ? 'objectIdBytes' : type;
}

function widen(a: ColumnType | undefined, b: ColumnType): ColumnType {
  if (a === undefined || a === b) return b;
  return columnTypes[a].widened?.[b] ?? 'json';
}
