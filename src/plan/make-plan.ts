/** Makes the plan of a run: from a plan file, or inferred from a sample. */

import type { Config } from '../config.ts';
import { formatCount } from '../format.ts';
import { options } from '../options.ts';
import type { Sample, Source } from '../source/source.ts';
import { inferColumns, type Inference } from './infer.ts';
import { toIdentifier } from './names.ts';
import type { PlanFile } from './plan-file.ts';
import type { Plan } from './plan.ts';
import { resolvePlan } from './resolve-plan.ts';

export type PlanConfig = Pick<
  Config,
  'postgresSchema' | 'sampleSize' | 'objectId' | 'layout' | 'isRequiredNotNull' | 'jsonStyle' | 'nul'
>;

type PlanTable = Pick<Plan, 'schema' | 'table'>;

export interface MadePlan {
  readonly plan: Plan;
  /** What a person should know about it. */
  readonly notices: readonly string[];
}

export interface InferredPlan extends MadePlan {
  readonly inference: Inference;
  /** What the plan was inferred from. */
  readonly sample: Sample;
}

/** Where the rows go: known before anything is read. */
export function chooseTable(schema: string, collection: string, file: PlanFile | null): PlanTable {
  return { schema: file?.schema ?? schema, table: file?.table ?? toIdentifier(collection) };
}

/**
 * @param source what is read; without a plan file, a sample of it
 * @param table as `chooseTable` gives it
 * @param file as `readPlanFile` gives it, or null to infer
 */
export async function makePlan(
  source: Source,
  table: PlanTable,
  config: PlanConfig,
  file: PlanFile | null,
): Promise<MadePlan> {
  if (file === null) return await inferPlan(source, table, config);
  const { jsonStyle, nul } = config;
  const plan = resolvePlan(file, { collection: source.name, ...table, jsonStyle, nul });
  return { plan, notices: describeOverruled(config, plan) };
}

export async function inferPlan(source: Source, table: PlanTable, config: PlanConfig): Promise<InferredPlan> {
  const { objectId, layout, jsonStyle, nul } = config;
  const sample = await source.sample(config.sampleSize);
  const requiredFields = config.isRequiredNotNull ? await source.requiredFields() : [];
  const inference = inferColumns(sample.documents, { objectId, layout, requiredFields });
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
