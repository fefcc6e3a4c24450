/** Describes a plan to the core: tables, columns and names in the module's memory. */

import { isIdColumn, type Plan, type PlanColumn } from '../plan.ts';
import type { ColumnType } from '../column-types/names.ts';
import { maxUnplannedNames } from '../field-level.ts';
import { maxRowWidth, widestRow } from '../row-width.ts';
import type { RowLimits } from '../row-writer.ts';
import * as codes from './codes.ts';
import type { Core } from './module.ts';

/** A table in the core. */
export interface CoreTable {
  readonly table: number;
  /** The region of its rows. */
  readonly output: number;
  readonly names: CoreNames;
}

export interface CoreTables {
  readonly main: CoreTable;
  readonly children: readonly (CoreTable & {
    /** The region with the document number of each row. */
    readonly parents: number;
  })[];
}

/** The core does not support the plan, which is not a failure. */
class UnsuitedPlan extends Error {}

/** More than this in an embedded document is rare. */
const maxNestedNames = 128;

/** The names of one level of documents, in the core. */
export class CoreNames {
  readonly names: number;
  /** The text of each. */
  readonly texts = new Map<number, string>();
  readonly #core: Core;
  readonly #capacity: number;
  readonly #known = new Map<string, number>();
  /** The names inside these. */
  readonly #inside = new Map<string, CoreNames>();

  /** @throws UnsuitedPlan */
  constructor(core: Core, capacity: number) {
    this.#core = core;
    this.#capacity = capacity;
    // Differs, so that no collection can be made of names that all fall into one place.
    this.names = placed(core.addNames(capacity, Math.floor(Math.random() * 2 ** 32)));
  }

  get hasRoom(): boolean {
    return this.#known.size < this.#capacity;
  }

  /** Returns the same number for the same name. @throws UnsuitedPlan if there is no room */
  add(text: string): number {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (!this.hasRoom) throw new UnsuitedPlan();
    const core = this.#core;
    const bytes = Buffer.from(`${text}\0`);
    const name = placed(core.makeName(bytes.length));
    Buffer.from(core.memory.buffer).set(bytes, core.nameBytes(name));
    core.placeName(this.names, name);
    this.#known.set(text, name);
    this.texts.set(name, text);
    return name;
  }

  /** The name at the end of a path, through names inside of names. @throws UnsuitedPlan */
  addPath([first = '', ...rest]: readonly string[]): number {
    const name = this.add(first);
    if (rest.length === 0) return name;
    let inside = this.#inside.get(first);
    if (inside === undefined) {
      inside = new CoreNames(this.#core, maxNestedNames);
      this.#inside.set(first, inside);
      this.#core.nestNames(name, inside.names);
    }
    return inside.addPath(rest);
  }
}

/** The document's `_id` and the array position precede the fields of an element. */
const leadingColumns = 2;

/** Null if the core does not support the plan. */
export function describePlan(core: Core, plan: Plan, limits: RowLimits): CoreTables | null {
  try {
    const main = addTable(core, plan, limits, 0);
    const children = (plan.children ?? []).map(({ field, path = [], keepsEmpty, plan: childPlan }) => {
      if (keepsEmpty === true || childPlan.children !== undefined) throw new UnsuitedPlan();
      const table = addTable(core, childPlan, limits, leadingColumns);
      const traits = path.length > 0 ? codes.columnRefusesMisfits : 0;
      const name = main.names.addPath([field, ...path]);
      const child = placed(core.addChild(name, traits, table.table));
      return { ...table, parents: core.parentsOf(child) };
    });
    return { main, children };
  } catch (error) {
    if (error instanceof UnsuitedPlan) return null;
    throw error;
  }
}

const styles = {
  relaxed: codes.styleRelaxed,
  canonical: codes.styleCanonical,
  plain: codes.stylePlain,
};

/** @param leading number of key columns before those of the document */
function addTable(core: Core, plan: Plan, { maxJsonBytes }: RowLimits, leading: number): CoreTable {
  const { extraColumn, jsonStyle = 'relaxed', dropped = [], children = [] } = plan;
  const columns = plan.columns.slice(leading);
  const hasExtra = extraColumn !== null;
  if (plan.flattened !== undefined) throw new UnsuitedPlan();
  // Rows that may not fit a page are encoded in TypeScript.
  if (hasExtra && widestRow(plan.columns) > maxRowWidth) throw new UnsuitedPlan();
  const longestPath = Math.max(...[...columns, ...children].map(({ path = [] }) => path.length), 0);
  const keepsWhole = plan.keepsWhole === true;
  const traits =
    (hasExtra ? codes.tableHasExtra : 0) +
    (keepsWhole ? codes.tableKeepsWhole : 0) +
    (columns.some(({ path = [] }) => path.length > 0) ? codes.tableHasNested : 0);
  const planned = [...columns, ...children].flatMap(({ field, path = [] }) => [
    field,
    [field, ...path].join('.'),
  ]);
  const names = new CoreNames(core, new Set([...planned, ...dropped]).size + maxUnplannedNames);
  const table = placed(
    core.addTable(
      names.names,
      columns.length,
      plan.columns.length + (hasExtra ? 1 : 0),
      traits,
      styles[jsonStyle],
      maxJsonBytes,
      1 + longestPath + (keepsWhole ? 1 : 0),
    ),
  );
  for (const name of planned) names.add(name);
  for (const [place, column] of columns.entries()) {
    const isId = leading === 0 && isIdColumn(column);
    const { field, path = [], subtype = 0 } = column;
    core.setColumn(
      table,
      place,
      names.addPath([field, ...path]),
      kindOf(column),
      traitsOf(column, isId, path.length > 0),
      subtype,
      styles[isId ? 'canonical' : jsonStyle],
    );
  }
  const inColumns = new Set(
    [...columns, ...children].filter(({ path = [] }) => path.length === 0).map(({ field }) => field),
  );
  for (const name of dropped) if (!inColumns.has(name)) core.dropName(names.add(name));
  return { table, output: core.outputOf(table), names };
}

function traitsOf({ isRequired }: PlanColumn, isId: boolean, isNested: boolean): number {
  return (
    (isId ? codes.columnIsId : 0) +
    (isRequired === true ? codes.columnIsRequired : 0) +
    // The value has another name there, which is rare.
    (isNested ? codes.columnRefusesMisfits : 0)
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

function kindOf({ type, target, isElement, isArray }: PlanColumn): number {
  // Types of existing tables are encoded in TypeScript.
  if (target !== undefined || isElement === true || isArray === true) throw new UnsuitedPlan();
  return kinds[type];
}

/** @throws UnsuitedPlan if the core had no room */
function placed(number: number): number {
  if (number === 0) throw new UnsuitedPlan();
  return number;
}
