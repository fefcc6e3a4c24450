/** Makes the plan of a run: from a plan file, or inferred from a sample. */

import type { Config } from '../config/config.ts';
import { TargetError, UsageError } from '../common/errors.ts';
import { formatCount } from '../common/format.ts';
import { options } from '../config/options.ts';
import { defaultFlatten } from '../config/plan-choices.ts';
import type { Sample, Source } from '../source/source.ts';
import type { ExistingTable } from '../transcode/column-target.ts';
import { fitInferredWithChildren, fitWithChildren } from './fit/fit-children.ts';
import { findUnmappedFields, type FittedPlan, listFields } from './fit/fit-plan.ts';
import { inferColumns, type Inference } from './infer/infer.ts';
import { inferTables, type RelationalPart } from './relational/tables.ts';
import { takeSample } from './infer/take-sample.ts';
import { toIdentifier } from '../common/identifiers.ts';
import { defaultExtraColumn } from './file/default-columns.ts';
import { isIdColumn, listDescendants, type Plan, type TransformFile } from '../transcode/plan.ts';
import { createTransformSample, type TransformSample } from './infer/transform-sample.ts';
import { resolvePlan } from './file/resolve-plan.ts';
import { invoke } from '../config/invocation.ts';
import type { PlanFile, PlanFileChild } from './file/plan-schema.ts';

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

/** Reads tables; null for one that does not exist. */
export type ReadChildren = (tables: readonly PlanTable[]) => Promise<(ExistingTable | null)[]>;

type PlanTable = Pick<Plan, 'schema' | 'table'>;

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

/** Chooses the target table, before anything is read. @throws UsageError */
export function chooseTable(schema: string, collection: string, file: PlanFile | null): PlanTable {
  const table = file?.table ?? toIdentifier(collection);
  const namesake = findTable(file?.children ?? [], table, '');
  if (namesake !== null) {
    // If the plan itself names the table, its checks have found this already.
    throw new UsageError(
      `the plan is not valid: ${namesake}.table: ${JSON.stringify(table)} is the table of the documents themselves`,
      {
        code: 'PLAN_INVALID',
        fix: 'give the child table another name, or say in the plan how the table is called.',
      },
    );
  }
  return { schema: file?.schema ?? schema, table };
}

/** The tables of inferred plans for these collections, except `but`. */
export function listTables(collections: readonly string[], but: string): string[] {
  return collections.filter((collection) => collection !== but).map(toIdentifier);
}

/** @returns the place in the plan file of the child table with this name */
function findTable(children: readonly PlanFileChild[], table: string, around: string): string | null {
  for (const [index, child] of children.entries()) {
    const place = `${around}children[${index}]`;
    const found = child.table === table ? place : findTable(child.children ?? [], table, `${place}.`);
    if (found !== null) return found;
  }
  return null;
}

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

/** @throws TargetError where a table that stays has other partitions than those asked for, or none */
function choosePartitions(
  { schema, table }: PlanTable,
  { partitions }: PlanConfig,
  existing: ExistingTable | null,
): number | undefined {
  if (existing === null) return partitions;
  const { isOwn, partitioned } = existing;
  // Those of an earlier run stay.
  if (partitions === undefined) return isOwn ? partitioned?.count : undefined;
  if (partitioned?.count === partitions) return partitions;
  const has =
    partitioned === undefined ? 'no partitions by a hash' : `${formatCount(partitioned.count)} partitions`;
  throw new TargetError(`the table "${schema}"."${table}" has ${has}, and PARTITIONS is ${partitions}`, {
    code: 'PARTITIONS_DIFFER',
    fix: 'leave PARTITIONS out to load it as it is, or have it recreated with --if-exists drop.',
  });
}

/** With the tables of its children, whose rows are in the partitions of the same number. */
function partition(plan: Plan, partitions: number): Plan {
  const children = plan.children?.map((child) => ({ ...child, plan: partition(child.plan, partitions) }));
  return { ...plan, partitions, ...(children === undefined ? {} : { children }) };
}

function listChildTables(plan: Plan): PlanTable[] {
  return listDescendants(plan).map(({ child }) => child.plan);
}

/** Without notices about inferred types, because the types of the table are used. */
function fitInferred(
  { plan, sample, inference }: InferredPlan,
  existing: ExistingTable,
  children: readonly (ExistingTable | null)[],
): MadePlan {
  const fitted = fitInferredWithChildren(plan, existing, children);
  requireFit(fitted, findUnmappedFields(fitted.plan, inference.stats), existing);
  return { plan: fitted.plan, notices: [...describeSample(sample), ...fitted.notices], sample };
}

/** If there is no overflow column, a field that the plan forgot is reported before the load. */
async function fitWritten(
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

/** A table that this tool creates has `_id` as its primary key. */
function requireKey({ schema, table, columns }: Plan): void {
  if (columns.some(isIdColumn)) return;
  throw new TargetError(`the plan drops _id, and the table "${schema}"."${table}" does not exist yet`, {
    code: 'ID_HAS_NO_COLUMN',
    fix: 'create the table first, with its own key; or give _id a column.',
  });
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
