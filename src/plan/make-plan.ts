/** Makes the plan of a run: from a plan file, or inferred from a sample. */

import type { Config } from '../config/config.ts';
import { TargetError, UsageError } from '../common/errors.ts';
import { formatCount } from '../common/format.ts';
import { options } from '../config/options.ts';
import type { Sample, Source } from '../source/source.ts';
import type { ExistingTable } from '../transcode/column-target.ts';
import { gatherStats } from './infer/field-stats.ts';
import { fitWithChildren } from './fit/fit-children.ts';
import { findUnmappedFields, fitPlan, type FittedPlan, listFields } from './fit/fit-plan.ts';
import { inferColumns, type Inference } from './infer/infer.ts';
import { toIdentifier } from '../common/identifiers.ts';
import { defaultExtraColumn } from './file/plan-checks.ts';
import { isIdColumn, type Plan } from '../transcode/plan.ts';
import { resolvePlan } from './file/resolve-plan.ts';
import { invoke } from '../config/invocation.ts';
import type { PlanFile } from './file/plan-schema.ts';

export type PlanConfig = Pick<
  Config,
  'postgresSchema' | 'sampleSize' | 'objectId' | 'schema' | 'requiredNotNull' | 'jsonStyle' | 'nul'
>;

type PlanTable = Pick<Plan, 'schema' | 'table'>;

export interface MadePlan {
  readonly plan: Plan;
  /** What a person should know about it. */
  readonly notices: readonly string[];
  /** What the plan was made from; null where it needed none. */
  readonly sample: Sample | null;
}

export interface InferredPlan extends MadePlan {
  readonly inference: Inference;
  readonly sample: Sample;
}

/** Where the rows go: known before anything is read. @throws UsageError */
export function chooseTable(schema: string, collection: string, file: PlanFile | null): PlanTable {
  const table = file?.table ?? toIdentifier(collection);
  const namesake = file?.children?.findIndex((child) => child.table === table) ?? -1;
  if (namesake >= 0) {
    // Where the plan itself names the table, its own checks have found that.
    throw new UsageError(
      `the plan is not valid: children[${namesake}].table: ${JSON.stringify(table)} is the table of the documents themselves`,
      {
        code: 'PLAN_INVALID',
        fix: 'give the child table another name, or say in the plan how the table is called.',
      },
    );
  }
  return { schema: file?.schema ?? schema, table };
}

/**
 * @param source what is read; without a plan file, a sample of it
 * @param table as `chooseTable` gives it
 * @param file as `readPlanFile` gives it, or null to infer
 * @param existing the table, where it is there and stays
 * @param children then those of the file's child tables, each null where it is missing
 * @throws TargetError when the documents do not fit the table
 */
export async function makePlan(
  source: Source,
  table: PlanTable,
  config: PlanConfig,
  file: PlanFile | null,
  existing: ExistingTable | null,
  children: readonly (ExistingTable | null)[] = [],
): Promise<MadePlan> {
  if (file === null) {
    const made = await inferPlan(source, table, config);
    return existing === null ? made : fitInferred(made, existing);
  }
  const { jsonStyle, nul } = config;
  const plan = resolvePlan(file, { collection: source.name, ...table, jsonStyle, nul });
  const made: MadePlan = { plan, notices: describeOverruled(config, plan), sample: null };
  if (existing !== null) return await fitWritten(made, existing, children, source, config.sampleSize);
  requireKey(plan);
  return made;
}

/** What the sample made of the types does not matter, so that nothing is said of it. */
function fitInferred({ plan, sample, inference }: InferredPlan, existing: ExistingTable): MadePlan {
  const fitted = fitPlan(plan, existing, true);
  requireFit(fitted, findUnmappedFields(fitted.plan, inference.stats), existing);
  return { plan: fitted.plan, notices: [...describeSample(sample), ...fitted.notices], sample };
}

/** Where the table has no place for it, a field that the plan forgot is better told before than after the load. */
async function fitWritten(
  made: MadePlan,
  existing: ExistingTable,
  children: readonly (ExistingTable | null)[],
  source: Source,
  sampleSize: number,
): Promise<MadePlan> {
  const fitted = fitWithChildren(made.plan, existing, children);
  requireFit(fitted, [], existing);
  const sample = fitted.plan.extraColumn === null ? await source.sample(sampleSize) : null;
  if (sample !== null) {
    requireFit(fitted, findUnmappedFields(fitted.plan, gatherStats(sample.documents)), existing);
  }
  return { plan: fitted.plan, notices: [...made.notices, ...fitted.notices], sample };
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

/** A table that this tool makes has `_id` for its primary key. */
function requireKey({ schema, table, columns }: Plan): void {
  if (columns.some(isIdColumn)) return;
  throw new TargetError(`the plan drops _id, and the table "${schema}"."${table}" does not exist yet`, {
    code: 'ID_HAS_NO_COLUMN',
    fix: 'create the table first, with its own key; or give _id a column.',
  });
}

export async function inferPlan(source: Source, table: PlanTable, config: PlanConfig): Promise<InferredPlan> {
  const { objectId, schema: layout, jsonStyle, nul } = config;
  const sample = await source.sample(config.sampleSize);
  const requiredFields = config.requiredNotNull ? ((await source.hints?.requiredFields()) ?? []) : [];
  const inference = await inferColumns(sample.documents, { objectId, layout, requiredFields });
  const { columns, extraColumn, keepsWhole } = inference;
  const plan: Plan = {
    collection: source.name,
    ...table,
    columns,
    extraColumn,
    ...(keepsWhole === true ? { keepsWhole } : {}),
    jsonStyle,
    nul,
  };
  return { plan, notices: [...describeSample(sample), ...inference.notices], inference, sample };
}

function describeSample({ method, documents }: Sample): string[] {
  const count = formatCount(documents.length);
  switch (method) {
    case 'random':
      return [];
    case 'spread':
      return [
        `the server has no $sample: columns are inferred from ${count} documents of all parts of the _id range`,
      ];
    case 'ends':
      return [
        `the server has no $sample: columns are inferred from the first and the last, ${count} documents in all`,
      ];
  }
}

/** Settings that were changed, and that the file does not follow. */
function describeOverruled(config: PlanConfig, plan: Plan): string[] {
  const overruled = (
    [
      ['schema', options.postgresSchema, config.postgresSchema, plan.schema],
      ['jsonStyle', options.jsonStyle, config.jsonStyle, plan.jsonStyle],
      ['nul', options.nul, config.nul, plan.nul],
    ] as const
  ).filter(([, option, given, planned]) => given !== option.default && given !== planned);
  return overruled.map(([key, { env }, given, planned]) => {
    return `the plan says ${key} "${planned ?? ''}": ${env}=${given} is not used`;
  });
}
