/** Converts a plan file to the plan that workers use. */

import { parsePath } from './field-path.ts';
import { fieldOfConstant, listChanges } from './column-changes.ts';
import { defaultChildColumns, defaultExtraColumn, nameKey } from './default-columns.ts';
import {
  isIdColumn,
  placeColumn,
  type ChildTable,
  type Plan,
  type PlanColumn,
} from '../../transcode/plan.ts';
import type { PlanFile, PlanFileChild, PlanFileColumn } from './plan-schema.ts';

/** The values for what the file does not say. */
export type PlanDefaults = Pick<
  Plan,
  'collection' | 'schema' | 'table' | 'jsonStyle' | 'nul' | 'objectIdCollation'
>;

/** @param file checked, as `readPlanFile` returns it */
export function resolvePlan(file: PlanFile, defaults: PlanDefaults): Plan {
  const { constants = [], generated = [] } = file;
  const changes = listChanges(file);
  const { schema, table, jsonStyle, nul, objectIdCollation, keepsWhole, drop = [], children = [] } = file;
  const plan: Plan = {
    ...defaults,
    ...(schema === undefined ? {} : { schema }),
    ...(table === undefined ? {} : { table }),
    ...(jsonStyle === undefined ? {} : { jsonStyle }),
    ...(nul === undefined ? {} : { nul }),
    ...(objectIdCollation === undefined ? {} : { objectIdCollation }),
    columns: [...file.columns.map(resolveColumn), ...constants.map(resolveConstant)],
    extraColumn: file.extraColumn ?? defaultExtraColumn,
    ...(keepsWhole === true ? { keepsWhole } : {}),
    ...(drop.length === 0 ? {} : { dropped: drop.flatMap(parsePath) }),
    ...resolveFlatten(file),
    ...(changes.length === 0 ? {} : { changes }),
    ...(generated.length === 0 ? {} : { generated }),
  };
  if (children.length === 0) return plan;
  return { ...plan, children: children.map((child) => resolveChild(child, plan, null)) };
}

/** @param above the key columns of the child table around it; null if the parent is the main table */
function resolveChild(child: PlanFileChild, parent: Plan, above: readonly PlanColumn[] | null): ChildTable {
  const { table, children = [], extraColumn = defaultChildColumns.extraColumn, keepEmpty } = child;
  const names = nameKey(child, above?.map(({ column }) => column) ?? null);
  const id = above?.[0] ?? parent.columns.find(isIdColumn);
  if (id === undefined) throw new Error('a checked plan with children has a column for _id');
  const key = names.map((column, place) => (place === 0 ? { ...id, column } : placeColumn(column)));
  const { collection, schema, jsonStyle, nul, objectIdCollation } = parent;
  const [field = '', ...path] = parsePath(child.path);
  const plan: Plan = {
    collection,
    schema,
    table,
    columns: [...key, ...child.columns.map(resolveColumn)],
    extraColumn,
    ...(jsonStyle === undefined ? {} : { jsonStyle }),
    ...(nul === undefined ? {} : { nul }),
    ...(objectIdCollation === undefined ? {} : { objectIdCollation }),
    ...resolveFlatten(child),
  };
  return {
    field,
    ...(path.length === 0 ? {} : { path }),
    ...(keepEmpty === true ? { keepsEmpty: true } : {}),
    plan:
      children.length === 0
        ? plan
        : { ...plan, children: children.map((inner) => resolveChild(inner, plan, key)) },
  };
}

function resolveFlatten({ flatten = [] }: Pick<PlanFileChild, 'flatten'>): Pick<Plan, 'flattened'> {
  return flatten.length === 0 ? {} : { flattened: flatten.map(parsePath) };
}

function resolveConstant({ column, type }: NonNullable<PlanFile['constants']>[number]): PlanColumn {
  return { field: fieldOfConstant(column), column, type };
}

function resolveColumn({ column, path, type, array, subtype, notNull }: PlanFileColumn): PlanColumn {
  const names = parsePath(path);
  const [field = '', ...inside] = names;
  return {
    field,
    column,
    type,
    ...(inside.length === 0 ? {} : { path: inside }),
    ...(names.length === 0 ? { isElement: true } : {}),
    ...(array === true ? { isArray: true } : {}),
    ...(subtype === undefined ? {} : { subtype }),
    ...(notNull === true ? { isRequired: true } : {}),
  };
}
