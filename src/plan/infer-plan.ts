/** Infers the plan of a run from a sample. */

import type { Config } from '../config/config.ts';
import { formatCount } from '../common/format.ts';
import { defaultFlatten } from '../config/plan-choices.ts';
import type { Sample, Source } from '../source/source.ts';
import type { Plan, TransformFile } from '../transcode/plan.ts';
import { resolvePlan } from './file/resolve-plan.ts';
import { inferColumns, type Inference } from './infer/infer.ts';
import { takeSample } from './infer/take-sample.ts';
import { createTransformSample, type TransformSample } from './infer/transform-sample.ts';
import type { PlanTable } from './plan-table.ts';
import { inferTables, type RelationalPart } from './relational/tables.ts';

export type PlanConfig = Pick<
  Config,
  | 'postgresSchema'
  | 'sampleSize'
  | 'objectId'
  | 'objectIdCollation'
  | 'schema'
  | 'flatten'
  | 'scalarArrays'
  | 'requiredNotNull'
  | 'jsonStyle'
  | 'nul'
> &
  // Of a start alone: a table of the command `plan` is made by hand.
  Partial<Pick<Config, 'partitions'>>;

export interface MadePlan {
  readonly plan: Plan;
  /** Information about the plan for people. */
  readonly notices: readonly string[];
  /** The sample that was used; null if none was needed. */
  readonly sample: Sample | null;
}

export interface InferredPlan extends MadePlan {
  readonly inference: Inference;
  /** Present if the plan has several tables, or columns of embedded documents. */
  readonly part?: RelationalPart;
  readonly sample: Sample;
}

/** @param isWhole for a plan that people read, or that must fit a table: see `takeSample` */
export async function inferPlan(
  source: Source,
  table: PlanTable,
  config: PlanConfig,
  isWhole = true,
  transform: TransformFile | null = null,
  otherTables: readonly string[] = [],
): Promise<InferredPlan> {
  const { objectId, schema: layout, jsonStyle, nul, objectIdCollation } = config;
  const { requiredNotNull, sampleSize, flatten } = config;
  const place = { collection: source.name, ...table };
  const transformed = transform === null ? null : await createTransformSample(transform, place);
  if (layout === 'relational' || (layout === 'columns' && (flatten ?? 0) > 0)) {
    const made = await inferRelational(source, table, config, {
      isWhole,
      otherTables,
      transform: transformed,
    });
    return transform === null ? made : { ...made, plan: { ...made.plan, transform } };
  }
  const taken = await takeSample(source, sampleSize, isWhole || requiredNotNull, transformed);
  const { sample, documents, stats } = taken;
  const requiredFields = requiredNotNull ? ((await source.hints?.requiredFields()) ?? []) : [];
  const inference = await inferColumns(documents, { objectId, layout, requiredFields }, stats);
  const { columns, extraColumn, keepsWhole } = inference;
  const plan: Plan = {
    ...place,
    columns,
    extraColumn,
    ...(keepsWhole === true ? { keepsWhole } : {}),
    jsonStyle,
    nul,
    objectIdCollation,
    ...(transform === null ? {} : { transform }),
  };
  return { plan, notices: [...describeSample(sample), ...inference.notices], inference, sample };
}

interface RelationalOptions {
  readonly isWhole: boolean;
  readonly otherTables: readonly string[];
  readonly transform: TransformSample | null;
}

/** Infers a plan with several tables, or with columns of embedded documents. */
async function inferRelational(
  source: Source,
  table: PlanTable,
  config: PlanConfig,
  { isWhole, otherTables, transform }: RelationalOptions,
): Promise<InferredPlan> {
  const { objectId, schema: layout, scalarArrays, requiredNotNull, sampleSize } = config;
  const { jsonStyle, nul, objectIdCollation, flatten = defaultFlatten } = config;
  const arrays = layout === 'relational';
  const depth = { names: flatten + 1, arrays };
  const { sample, stats } = await takeSample(
    ...([source, sampleSize, isWhole || requiredNotNull, transform, depth] as const),
  );
  const requiredFields = requiredNotNull ? ((await source.hints?.requiredFields()) ?? []) : [];
  const { part, notices } = inferTables(stats, {
    ...{ objectId, flatten, requiredFields, table: table.table, otherTables },
    scalarArrays: arrays ? scalarArrays : null,
  });
  const defaults = { collection: source.name, ...table, jsonStyle, nul, objectIdCollation };
  const plan = resolvePlan(part, defaults);
  const { columns, extraColumn } = plan;
  const inference = { columns, extraColumn, notices, stats };
  return { plan, notices: [...describeSample(sample), ...notices], inference, sample, part };
}

/** A notice if the sample is not random. */
export function describeSample({ method, documents }: Sample): string[] {
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
