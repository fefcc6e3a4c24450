/** What the user chose about what is copied and how: a run that is continued must be asked for with the same. */

import { createHash } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { options } from '../config/options.ts';
import { describeFilter } from '../bson/filter.ts';
import type { PlanFile } from './file/plan-schema.ts';

export type ChoiceConfig = Pick<
  Config,
  'objectId' | 'schema' | 'jsonStyle' | 'nul' | 'requiredNotNull' | 'filter'
>;

/** By the names of the variables; what was left at its default is not in it. */
export function describeChoices(
  config: ChoiceConfig,
  planFile: PlanFile | null,
): Readonly<Record<string, string>> {
  const { objectId, schema, jsonStyle, nul, requiredNotNull, filter } = config;
  const chosen = [
    [options.objectId, objectId],
    [options.schema, schema],
    [options.jsonStyle, jsonStyle],
    [options.nul, nul],
    [options.requiredNotNull, requiredNotNull ? 'true' : ''],
    [options.filter, filter === undefined ? '' : describeFilter(filter)],
    [options.plan, planFile === null ? '' : `the plan ${digest(planFile)}`],
  ] as const;
  return Object.fromEntries(
    chosen.filter(([option, value]) => value !== option.default).map(([{ env }, value]) => [env, value]),
  );
}

/** What a plan says counts, and not where it stands or how it is laid out. */
function digest(planFile: PlanFile): string {
  return createHash('sha256').update(JSON.stringify(planFile)).digest('hex').slice(0, 12);
}
