/** Makes the plan of a run: from a plan file, or inferred from a sample. */

import { TargetError } from '../common/errors.ts';
import { options } from '../config/options.ts';
import type { Source } from '../source/source.ts';
import type { ExistingTable } from '../transcode/column-target.ts';
import { isIdColumn, type Plan, type TransformFile } from '../transcode/plan.ts';
import type { PlanFile } from './file/plan-schema.ts';
import { resolvePlan } from './file/resolve-plan.ts';
import { fitInferred, fitWritten, type ReadChildren } from './fit-plan-to-table.ts';
import { inferPlan, type MadePlan, type PlanConfig } from './infer-plan.ts';
import { choosePartitions, partition } from './plan-partitions.ts';
import { listChildTables, type PlanTable } from './plan-table.ts';

/**
 * @param source sampled if there is no plan file
 * @param table the result of `chooseTable`
 * @param file the result of `readPlanFile`; null to infer a plan
 * @param existing the table, if it exists and is kept
 * @param readChildren reads its child tables
 * @param otherTables names of other collections' tables, which child tables must not have
 * @throws TargetError if the documents do not fit the table
 */
export async function makePlan(
  source: Source,
  table: PlanTable,
  config: PlanConfig,
  file: PlanFile | null,
  existing: ExistingTable | null,
  readChildren: ReadChildren = () => Promise.resolve([]),
  transform: TransformFile | null = null,
  otherTables: readonly string[] = [],
): Promise<MadePlan> {
  const partitions = choosePartitions(table, config, existing);
  const made = await makeWholePlan(
    ...([source, table, config, file, existing, readChildren, transform, otherTables] as const),
  );
  return partitions === undefined ? made : { ...made, plan: partition(made.plan, partitions) };
}

async function makeWholePlan(
  source: Source,
  table: PlanTable,
  config: PlanConfig,
  file: PlanFile | null,
  existing: ExistingTable | null,
  readChildren: ReadChildren,
  transform: TransformFile | null,
  otherTables: readonly string[],
): Promise<MadePlan> {
  if (file === null) {
    // With a full sample, because a field without a column should be found before the load.
    const made = await inferPlan(source, table, config, existing !== null, transform, otherTables);
    if (existing === null) return made;
    return fitInferred(made, existing, await readChildren(listChildTables(made.plan)));
  }
  const { jsonStyle, nul, objectIdCollation } = config;
  const defaults = { collection: source.name, ...table, jsonStyle, nul, objectIdCollation };
  const plan = { ...resolvePlan(file, defaults), ...(transform === null ? {} : { transform }) };
  const made: MadePlan = { plan, notices: describeOverruled(config, plan), sample: null };
  if (existing !== null) return await fitWritten(made, existing, readChildren, source, config);
  requireKey(plan);
  return made;
}

/** A table that this tool creates has `_id` as its primary key. */
function requireKey({ schema, table, columns }: Plan): void {
  if (columns.some(isIdColumn)) return;
  throw new TargetError(`the plan drops _id, and the table "${schema}"."${table}" does not exist yet`, {
    code: 'ID_HAS_NO_COLUMN',
    fix: 'create the table first, with its own key; or give _id a column.',
  });
}

/** Settings that have no effect because the plan file says otherwise. */
function describeOverruled(config: PlanConfig, plan: Plan): string[] {
  const overruled = (
    [
      ['schema', options.postgresSchema, config.postgresSchema, plan.schema],
      ['jsonStyle', options.jsonStyle, config.jsonStyle, plan.jsonStyle],
      ['nul', options.nul, config.nul, plan.nul],
      ['objectIdCollation', options.objectIdCollation, config.objectIdCollation, plan.objectIdCollation],
    ] as const
  ).filter(([, option, given, planned]) => given !== option.default && given !== planned);
  return overruled.map(([key, { env }, given, planned]) => {
    return `the plan says ${key} "${planned ?? ''}": ${env}=${given} is not used`;
  });
}
