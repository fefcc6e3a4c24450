/** Makes the plan that workers use of a plan file. */

import { parsePath } from './field-path.ts';
import { defaultChildColumns, defaultExtraColumn } from './plan-checks.ts';
import { isIdColumn, type ChildTable, type Plan, type PlanColumn } from '../../transcode/plan.ts';
import type { PlanFile, PlanFileChild, PlanFileColumn } from './plan-schema.ts';

/** What holds where the file does not say. */
export type PlanDefaults = Pick<Plan, 'collection' | 'schema' | 'table' | 'jsonStyle' | 'nul'>;

/** @param file as `readPlanFile` gives it: checked */
export function resolvePlan(file: PlanFile, defaults: PlanDefaults): Plan {
  const { schema, table, jsonStyle, nul, keepsWhole, drop = [], children = [] } = file;
  const plan: Plan = {
    ...defaults,
    ...(schema === undefined ? {} : { schema }),
    ...(table === undefined ? {} : { table }),
    ...(jsonStyle === undefined ? {} : { jsonStyle }),
    ...(nul === undefined ? {} : { nul }),
    columns: file.columns.map(resolveColumn),
    extraColumn: file.extraColumn ?? defaultExtraColumn,
    ...(keepsWhole === true ? { keepsWhole } : {}),
    ...(drop.length === 0 ? {} : { dropped: drop.flatMap(parsePath) }),
  };
  if (children.length === 0) return plan;
  return { ...plan, children: children.map((child) => resolveChild(child, plan)) };
}

function resolveChild(child: PlanFileChild, parent: Plan): ChildTable {
  const {
    parentColumn = defaultChildColumns.parentColumn,
    ordinalColumn = defaultChildColumns.ordinalColumn,
    extraColumn = defaultChildColumns.extraColumn,
  } = child;
  const id = parent.columns.find(isIdColumn);
  if (id === undefined) throw new Error('a checked plan with children has a column for _id');
  const { collection, schema, jsonStyle, nul } = parent;
  const leading: PlanColumn[] = [
    { ...id, column: parentColumn },
    // No field of an element is meant.
    { field: '', column: ordinalColumn, type: 'int32', isRequired: true },
  ];
  const [field = '', ...path] = parsePath(child.path);
  return {
    field,
    ...(path.length === 0 ? {} : { path }),
    plan: {
      collection,
      schema,
      table: child.table,
      columns: [...leading, ...child.columns.map(resolveColumn)],
      extraColumn,
      ...(jsonStyle === undefined ? {} : { jsonStyle }),
      ...(nul === undefined ? {} : { nul }),
    },
  };
}

function resolveColumn({ column, path, type, subtype, notNull }: PlanFileColumn): PlanColumn {
  const [field = '', ...inside] = parsePath(path);
  return {
    field,
    column,
    type,
    ...(inside.length === 0 ? {} : { path: inside }),
    ...(subtype === undefined ? {} : { subtype }),
    ...(notNull === true ? { isRequired: true } : {}),
  };
}
