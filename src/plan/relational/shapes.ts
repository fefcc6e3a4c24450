/** Chooses the shape of a field in a relational plan, by its statistics. */

import type { ScalarArrayStyle } from '../../config/plan-choices.ts';
import type { ColumnType } from '../../transcode/column-types/names.ts';
import { chooseColumnType, type SeenType } from '../infer/column-type.ts';
import type { FieldStats } from '../infer/field-stats.ts';

export type Shape =
  /** A column, of the type that is inferred for its values. */
  | { readonly kind: 'column' }
  /** A flattened document; `others`: the type of a column for values that are not documents, or null. */
  | { readonly kind: 'flat'; readonly others: ColumnType | null }
  /** A child table; `value`: the type of a column for elements that are not documents, or null. */
  | { readonly kind: 'child'; readonly elements: FieldStats; readonly value: ColumnType | null }
  /** A column that is an array of Postgres. */
  | { readonly kind: 'array'; readonly type: ColumnType };

export interface ShapeOptions {
  /** How many levels of embedded documents are flattened. */
  readonly flatten: number;
  /** What arrays of scalars become; null if arrays get no child tables. */
  readonly scalarArrays: ScalarArrayStyle | null;
}

const asColumn: Shape = { kind: 'column' };

/**
 * Most values decide the shape; values of another shape go to the overflow column.
 * @param depth how many levels around the field are flattened
 */
export function chooseShape(field: FieldStats, depth: number, options: ShapeOptions): Shape {
  const { types, elements } = field;
  const values = count(types) - (types.get('null') ?? 0);
  const isMost = (type: SeenType): boolean => (types.get(type) ?? 0) * 2 > values;
  if (isMost('object') && depth < options.flatten && hasSchema(field)) {
    return { kind: 'flat', others: chooseScalar(types) };
  }
  if (isMost('array') && options.scalarArrays !== null && elements !== null) {
    return chooseArrayShape(elements, options.scalarArrays);
  }
  return asColumn;
}

function chooseArrayShape(elements: FieldStats, style: ScalarArrayStyle): Shape {
  const { types } = elements;
  const documents = types.get('object') ?? 0;
  const values = count(types) - (types.get('null') ?? 0);
  if (documents * 2 >= values && documents > 0) {
    return hasSchema(elements) ? { kind: 'child', elements, value: chooseScalar(types) } : asColumn;
  }
  // An array of arrays is easier to read in a column than in rows.
  if (types.has('array') || documents === values) return asColumn;
  const value = chooseColumnType(listScalars(types));
  if (style === 'table') return { kind: 'child', elements, value };
  // An array of several types becomes jsonb.
  return documents === 0 && value !== 'json' ? { kind: 'array', type: value } : asColumn;
}

/** The common type of all values that are neither documents nor arrays; null if there is none. */
function chooseScalar(types: ReadonlyMap<SeenType, number>): ColumnType | null {
  const type = chooseColumnType(listScalars(types));
  return type === 'json' ? null : type;
}

function listScalars(types: ReadonlyMap<SeenType, number>): SeenType[] {
  return [...types.keys()].filter((type) => type !== 'object' && type !== 'array' && type !== 'null');
}

/** If there are more names, they may be data: ids, dates, languages. */
const maxSureNames = 50;

/** Names are field names if an average document has at least this share of them. */
const leastShare = 0.1;

/** Whether the names in documents are field names, not data. False if there are no names. */
function hasSchema({ types, children }: FieldStats): boolean {
  if (children.size === 0) return false;
  if (children.size <= maxSureNames) return true;
  const found = [...children.values()].reduce((sum, child) => sum + child.count, 0);
  return found >= children.size * (types.get('object') ?? 0) * leastShare;
}

function count(types: ReadonlyMap<SeenType, number>): number {
  return [...types.values()].reduce((sum, amount) => sum + amount, 0);
}
