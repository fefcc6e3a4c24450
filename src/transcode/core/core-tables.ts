/** Describes a plan to the core: tables, columns and names in the module's memory. */

import { isIdColumn, namesOf, type Plan } from '../plan.ts';
import { maxRowWidth, widestRow } from '../row-width.ts';
import { elementName, type RowLimits } from '../row-writer.ts';
import * as codes from './codes.ts';
import { describeType, traitsOf } from './core-column.ts';
import { CoreLevel } from './core-level.ts';
import { CoreNames, placed, UnsuitedPlan } from './core-names.ts';
import type { Core } from './module.ts';

/** A table in the core. */
export interface CoreTable {
  readonly table: number;
  /** The region of its rows. */
  readonly output: number;
  /** The fields of its documents. */
  readonly level: CoreLevel;
}

export interface CoreChild extends CoreTable {
  /** The region with the document number of each row. */
  readonly parents: number;
}

export interface CoreTables {
  readonly main: CoreTable;
  /** In the order of `listDescendants`. */
  readonly children: readonly CoreChild[];
}

/** Null if the core does not support the plan. */
export function describePlan(core: Core, plan: Plan, limits: RowLimits): CoreTables | null {
  try {
    const main = addTable(core, plan, limits, 0);
    return { main, children: addChildren(core, plan, limits, main.level, { address: 0, leading: 1 }) };
  } catch (error) {
    if (error instanceof UnsuitedPlan) return null;
    throw error;
  }
}

/** The child table of the elements that have arrays; the address 0 for the documents themselves. */
interface Around {
  readonly address: number;
  /** How many columns its key has. */
  readonly leading: number;
}

/** With those inside. */
function addChildren(
  core: Core,
  { children = [] }: Plan,
  limits: RowLimits,
  outer: CoreLevel,
  around: Around,
): CoreChild[] {
  // The array position follows the key of the document or of the element around.
  const leading = around.leading + 1;
  return children.flatMap((array) => {
    const table = addTable(core, array.plan, limits, leading);
    const { level, name, isNested } = outer.place(namesOf(array));
    const traits =
      (isNested ? codes.columnRefusesMisfits : 0) + (array.keepsEmpty === true ? codes.columnKeepsEmpty : 0);
    const address = placed(core.addChild(level, name, traits, table.table, around.address));
    const inner = addChildren(core, array.plan, limits, table.level, { address, leading });
    return [{ ...table, parents: core.parentsOf(address) }, ...inner];
  });
}

/** @throws UnsuitedPlan if there is no room */
function addLabels(core: Core, labels: readonly string[]): number {
  const names = new CoreNames(core, labels.length);
  for (const label of labels) names.add(label);
  return names.names;
}

const styles = {
  relaxed: codes.styleRelaxed,
  canonical: codes.styleCanonical,
  plain: codes.stylePlain,
};

/** @param leading number of key columns before those of the document */
function addTable(core: Core, plan: Plan, { maxJsonBytes }: RowLimits, leading: number): CoreTable {
  const { extraColumn, jsonStyle = 'relaxed', dropped = [], children = [], flattened = [] } = plan;
  const columns = plan.columns.slice(leading);
  const hasExtra = extraColumn !== null;
  const keepsWhole = plan.keepsWhole === true;
  if (keepsWhole && flattened.length > 0) throw new UnsuitedPlan();
  // Rows that may not fit a page are encoded in TypeScript.
  if (hasExtra && widestRow(plan.columns) > maxRowWidth) throw new UnsuitedPlan();
  const paths = columns.map(namesOf);
  const inTables = children.map(namesOf);
  const isElement = columns.map((column) => column.isElement === true);
  // A value may be written to one of these at most.
  if (isElement.filter((is) => is).length > 1) throw new UnsuitedPlan();
  const planned = [...paths.filter((_, index) => isElement[index] !== true), ...inTables];
  const longestPath = Math.max(...planned.map(({ length }) => length - 1), 0);
  let table = 0;
  const createTable = ({ names }: CoreNames): number => {
    const traits = (hasExtra ? codes.tableHasExtra : 0) + (keepsWhole ? codes.tableKeepsWhole : 0);
    const fieldCount = plan.columns.length + (hasExtra ? 1 : 0);
    const copies = 1 + longestPath + (keepsWhole ? 1 : 0);
    const style = styles[jsonStyle];
    table = placed(core.addTable(names, columns.length, fieldCount, traits, style, maxJsonBytes, copies));
    return core.levelOf(table);
  };
  const level = new CoreLevel(core, { planned, dropped, flattened }, createTable);
  for (const [index, column] of columns.entries()) {
    const isId = leading === 0 && isIdColumn(column);
    const place =
      isElement[index] === true ? level.placeUnseen(elementName) : level.place(paths[index] ?? []);
    const { kind, limit = 0, scale = 0, labels, elementOid } = describeType(column);
    core.setColumn(
      table,
      index,
      place.level,
      place.name,
      kind,
      traitsOf(column, isId, place.isNested),
      column.subtype ?? 0,
      styles[isId ? 'canonical' : jsonStyle],
    );
    if (limit > 0) core.limitColumn(table, index, limit, scale);
    if (labels !== undefined) core.labelColumn(table, index, addLabels(core, labels));
    if (elementOid !== undefined) core.makeArray(table, index, elementOid);
  }
  const kept = new Set([...planned, ...flattened].filter(({ length }) => length === 1).flat());
  for (const name of dropped) if (!kept.has(name)) core.dropName(level.names.add(name));
  return { table, output: core.outputOf(table), level };
}
