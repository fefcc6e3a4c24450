/** The names of columns for which a plan file says none. */

import { toIdentifier } from '../../common/identifiers.ts';
import { parsePath } from './field-path.ts';
import type { PlanFileChild } from './plan-schema.ts';

/** The default name of the overflow column. */
export const defaultExtraColumn = '_extra';
export const defaultChildColumns = {
  parentColumn: 'parent_id',
  ordinalColumn: 'ordinal',
  extraColumn: defaultExtraColumn,
};

/**
 * The names of the key columns of a child table.
 * @param above the names of the parent's key columns; null if the parent is the main table
 */
export function nameKey(child: PlanFileChild, above: readonly string[] | null): readonly string[] {
  const { parentColumn = defaultChildColumns.parentColumn, ordinalColumn } = child;
  if (above === null) return [parentColumn, ordinalColumn ?? defaultChildColumns.ordinalColumn];
  if (ordinalColumn !== undefined) return [...above, ordinalColumn];
  const own = `${parsePath(child.path).at(-1) ?? ''}_${defaultChildColumns.ordinalColumn}`;
  const name = toIdentifier(own);
  return [...above, above.includes(name) ? toIdentifier(`${own}_${above.length}`) : name];
}
