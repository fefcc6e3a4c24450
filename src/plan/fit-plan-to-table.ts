/** Fits a plan to an existing table, and checks that no field is without a column. */

import { TargetError } from '../common/errors.ts';
import { invoke } from '../config/invocation.ts';
import type { Source } from '../source/source.ts';
import type { ExistingTable } from '../transcode/column-target.ts';
import { defaultExtraColumn } from './file/default-columns.ts';
import { fitInferredWithChildren, fitWithChildren } from './fit/fit-children.ts';
import { findUnmappedFields, type FittedPlan, listFields } from './fit/fit-plan.ts';
import { describeSample, type InferredPlan, type MadePlan, type PlanConfig } from './infer-plan.ts';
import { takeSample } from './infer/take-sample.ts';
import { createTransformSample } from './infer/transform-sample.ts';
import { listChildTables, type PlanTable } from './plan-table.ts';

/** Reads tables; null for one that does not exist. */
export type ReadChildren = (tables: readonly PlanTable[]) => Promise<(ExistingTable | null)[]>;

/** Without notices about inferred types, because the types of the table are used. */
export function fitInferred(
  { plan, sample, inference }: InferredPlan,
  existing: ExistingTable,
  children: readonly (ExistingTable | null)[],
): MadePlan {
  const fitted = fitInferredWithChildren(plan, existing, children);
  requireFit(fitted, findUnmappedFields(fitted.plan, inference.stats), existing);
  return { plan: fitted.plan, notices: [...describeSample(sample), ...fitted.notices], sample };
}

/** If there is no overflow column, a field that the plan forgot is reported before the load. */
export async function fitWritten(
  made: MadePlan,
  existing: ExistingTable,
  readChildren: ReadChildren,
  source: Source,
  { sampleSize }: Pick<PlanConfig, 'sampleSize'>,
): Promise<MadePlan> {
  const fitted = fitWithChildren(made.plan, existing, await readChildren(listChildTables(made.plan)));
  requireFit(fitted, [], existing);
  const { transform } = made.plan;
  const sampled = transform === undefined ? null : await createTransformSample(transform, made.plan);
  const taken = fitted.plan.extraColumn === null ? await takeSample(source, sampleSize, true, sampled) : null;
  if (taken !== null) requireFit(fitted, findUnmappedFields(fitted.plan, taken.stats), existing);
  return {
    plan: fitted.plan,
    notices: [...made.notices, ...fitted.notices],
    sample: taken?.sample ?? null,
  };
}

function requireFit(
  { plan, mistakes }: FittedPlan,
  unmapped: readonly string[],
  { isOwn }: ExistingTable,
): void {
  const reasons =
    unmapped.length === 0 ? mistakes : [...mistakes, `there is no column for ${listFields(unmapped)}`];
  if (reasons.length === 0) return;
  const name = `"${plan.schema}"."${plan.table}"`;
  const keep = `add a column "${defaultExtraColumn}" jsonb to the table, which keeps what has no other; or say`;
  const fixes = [
    `${unmapped.length === 0 ? 'say' : keep} in a plan what goes where, and what is dropped: ${invoke('plan', '--out plan.json')}`,
    ...(isOwn ? ['or use --if-exists drop to recreate the table'] : []),
  ];
  throw new TargetError(`the table ${name} does not fit the collection: ${reasons.join('; ')}`, {
    code: 'TABLE_DOES_NOT_FIT',
    fix: `${fixes.join('; ')}.`,
  });
}
