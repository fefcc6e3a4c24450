/** Chooses the type of a field's column by the types of the values that a sample has of it. */

import type { BsonBytes, ElementPosition } from '../../bson/cursor.ts';
import { bsonTypes, type BsonTypeName, nameOfType } from '../../bson/types.ts';
import { isUuid } from '../../bson/binary.ts';
import type { ColumnType } from '../../transcode/column-types.ts';

/**
 * A BSON type. Binary values that go to different columns count as different types: `binData` is the plain kind, of the
 * subtype 0.
 */
export type SeenType = BsonTypeName | 'uuid' | `binData of subtype ${number}`;

/** Those that have a column type of their own; all others go to jsonb. */
const typeOfBson: Partial<Record<SeenType, ColumnType>> = {
  objectId: 'objectId',
  string: 'string',
  symbol: 'symbol',
  int: 'int32',
  long: 'int64',
  double: 'double',
  decimal: 'decimal',
  bool: 'boolean',
  date: 'date',
  uuid: 'uuid',
  binData: 'binary',
};

/** Two column types met in one field → one that takes both without loss; any other pair goes to jsonb. */
const widened: Partial<Record<string, ColumnType>> = {
  'int32,int64': 'int64',
  'double,int32': 'double',
  'double,int64': 'decimal',
  'decimal,int32': 'decimal',
  'decimal,int64': 'decimal',
  'decimal,double': 'decimal',
};

/** What the value at `element` counts as. */
export function nameSeenType(source: BsonBytes, element: ElementPosition): SeenType {
  const { type, valueStart, valueEnd } = element;
  if (type !== bsonTypes.binData) return nameOfType(type);
  if (isUuid(source, valueStart, valueEnd)) return 'uuid';
  const subtype = source.view.getUint8(valueStart + 4);
  return subtype === 0 ? 'binData' : `binData of subtype ${subtype}`;
}

/** Null widens nothing; a field that is always null may be anything. */
export function chooseColumnType(seen: Iterable<SeenType>): ColumnType {
  let chosen: ColumnType | undefined;
  for (const type of seen) {
    if (type !== 'null') chosen = widen(chosen, typeOfBson[type] ?? 'json');
  }
  return chosen ?? 'json';
}

/**
 * The type of the primary key: where null is a value like any other, and where a double and a Decimal128 that are
 * different could be one numeric.
 */
export function chooseIdType(seen: ReadonlySet<SeenType>): ColumnType {
  if (seen.has('null')) return 'json';
  const type = chooseColumnType(seen);
  return type === 'decimal' && seen.size > 1 ? 'json' : type;
}

function widen(a: ColumnType | undefined, b: ColumnType): ColumnType {
  if (a === undefined || a === b) return b;
  return widened[[a, b].sort().join()] ?? 'json';
}
