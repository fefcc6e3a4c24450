/** Writes a plan as the text of a plan file: the same text for the same plan, an entry to a line, what was seen beside it. */

import { formatCount } from '../../common/format.ts';
import type { Sample } from '../../source/source.ts';
import { writePath, type WrittenPath } from './field-path.ts';
import type { FieldStats } from '../infer/field-stats.ts';
import { chooseType, type InferOptions } from '../infer/infer.ts';
import type { InferredPlan } from '../make-plan.ts';
import type { PlanColumn } from '../../transcode/plan.ts';
import { describeSeen } from '../infer/seen.ts';
import type { PlanFile, PlanFileColumn, PlanFileNested } from './plan-schema.ts';

export interface PlanTextOptions extends Pick<InferOptions, 'objectId'> {
  /** Where an editor finds the schema. */
  readonly schemaReference: string;
  /** About how many documents the sample was taken from. */
  readonly total: number;
}

/** More nested fields are a list that nobody reads. */
const maxNested = 200;

export function writePlanFile(made: InferredPlan, options: PlanTextOptions): PlanFile {
  const { plan, inference, sample } = made;
  const { documents, fields, nested } = inference.stats;
  const describe = (stats: FieldStats | undefined): string | undefined =>
    stats && documents > 0 ? describeSeen(stats, documents) : undefined;
  const toNested = (stats: FieldStats): PlanFileNested => ({
    path: toWritten(stats.path),
    type: chooseType(stats, options.objectId),
    seen: describe(stats),
  });
  const shown = new Set([...nested].sort((a, b) => b.count - a.count).slice(0, maxNested));
  return {
    $schema: options.schemaReference,
    collection: plan.collection,
    sampled: `${formatCount(documents)} of about ${formatCount(options.total)} documents, ${methods[sample.method]}`,
    schema: plan.schema,
    table: plan.table,
    jsonStyle: plan.jsonStyle,
    nul: plan.nul,
    columns: plan.columns.map((column) => toEntry(column, describe(fields.get(column.field)))),
    extraColumn: plan.extraColumn ?? undefined,
    ...(plan.keepsWhole === true
      ? { keepsWhole: true }
      : { drop: [], nested: nested.filter((stats) => shown.has(stats)).map(toNested) }),
  };
}

const methods: Readonly<Record<Sample['method'], string>> = {
  random: 'chosen at random',
  spread: 'from all parts of the _id range',
  ends: 'the first and the last',
};

function toEntry(
  { field, path = [], column, type, subtype, isRequired }: PlanColumn,
  seen?: string,
): PlanFileColumn {
  return {
    column,
    path: toWritten([field, ...path]),
    type,
    ...(subtype === undefined ? {} : { subtype }),
    ...(isRequired === true ? { notNull: true } : {}),
    seen,
  };
}

function toWritten(names: readonly string[]): string | string[] {
  const path: WrittenPath = writePath(names);
  return typeof path === 'string' ? path : [...path];
}

/** JSON with each entry of a list on a line of its own. */
export function formatPlanFile(file: PlanFile): string {
  const members = Object.entries(file)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `  ${JSON.stringify(key)}: ${formatMember(value)}`);
  return `{\n${members.join(',\n')}\n}\n`;
}

function formatMember(value: unknown): string {
  if (!Array.isArray(value) || value.length === 0) return JSON.stringify(value);
  return `[\n${value.map((entry) => `    ${formatEntry(entry)}`).join(',\n')}\n  ]`;
}

/** With spaces, as people write it. */
function formatEntry(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return JSON.stringify(entry);
  const members = Object.entries(entry)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{ ${members.join(', ')} }`;
}
