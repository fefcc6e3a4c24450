/** Makes the plan that workers use of a plan file. */

import { parsePath } from './field-path.ts';
import { defaultExtraColumn } from './plan-checks.ts';
import type { PlanFile, PlanFileColumn } from './plan-file.ts';
import type { Plan, PlanColumn } from './plan.ts';

/** What holds where the file does not say. */
export type PlanDefaults = Pick<Plan, 'collection' | 'schema' | 'table' | 'jsonStyle' | 'nul'>;

/** @param file as `readPlanFile` gives it: checked */
export function resolvePlan(file: PlanFile, defaults: PlanDefaults): Plan {
  const { schema, table, jsonStyle, nul, keepsWhole, drop = [] } = file;
  return {
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
