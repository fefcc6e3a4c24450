/** Writes a plan as the text of a plan file: one entry per line, with its statistics. Equal plans give equal texts. */

import { relative } from 'node:path';
import { formatCount } from '../../common/format.ts';
import type { Sample } from '../../source/source.ts';
import { writePath, type WrittenPath } from './field-path.ts';
import type { FieldStats } from '../infer/field-stats.ts';
import { chooseType, type InferOptions } from '../infer/infer.ts';
import type { InferredPlan } from '../infer-plan.ts';
import type { PlanColumn } from '../../transcode/plan.ts';
import { describeSeen } from '../infer/seen.ts';
import type { PlanFile, PlanFileColumn, PlanFileNested } from './plan-schema.ts';

export interface PlanTextOptions extends Pick<InferOptions, 'objectId'> {
  /** The path of the JSON schema, for editors. */
  readonly schemaReference: string;
  /** The folder of the plan file, to which the path of a transform is relative. */
  readonly folder: string;
  /** The estimated number of documents in the collection. */
  readonly total: number;
}

/** Nobody reads a longer list. */
const maxNested = 200;

export function writePlanFile(made: InferredPlan, options: PlanTextOptions): PlanFile {
  const { plan, inference, sample, part } = made;
  const { documents, fields, nested } = inference.stats;
  const describe = (stats: FieldStats | undefined): string | undefined =>
    stats && documents > 0 ? describeSeen(stats, documents) : undefined;
  const toNested = (stats: FieldStats): PlanFileNested => ({
    path: toWritten(stats.path),
    type: chooseType(stats, options.objectId),
    seen: describe(stats),
  });
  const shown = new Set([...nested].sort((a, b) => b.count - a.count).slice(0, maxNested));
  const describeInside = (): Pick<PlanFile, 'flatten' | 'children' | 'nested'> =>
    part === undefined
      ? { nested: nested.filter((stats) => shown.has(stats)).map(toNested) }
      : { flatten: part.flatten.map(toWritten), children: part.children };
  return {
    $schema: options.schemaReference,
    collection: plan.collection,
    sampled: `${formatCount(documents)} of about ${formatCount(options.total)} documents, ${methods[sample.method]}`,
    schema: plan.schema,
    table: plan.table,
    jsonStyle: plan.jsonStyle,
    nul: plan.nul,
    objectIdCollation: plan.objectIdCollation,
    columns:
      part?.columns ?? plan.columns.map((column) => toEntry(column, describe(fields.get(column.field)))),
    ...(plan.transform === undefined ? {} : { transform: seenFrom(options.folder, plan.transform.file) }),
    extraColumn: plan.extraColumn ?? undefined,
    ...(plan.keepsWhole === true ? { keepsWhole: true } : { drop: [], ...describeInside() }),
  };
}

function seenFrom(folder: string, file: string): string {
  const path = relative(folder, file).replaceAll('\\', '/');
  return path.startsWith('.') ? path : `./${path}`;
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

/** JSON with one line for each entry of a list. */
export function formatPlanFile(file: PlanFile): string {
  const members = Object.entries(file)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `  ${JSON.stringify(key)}: ${formatMember(value)}`);
  return `{\n${members.join(',\n')}\n}\n`;
}

function formatMember(value: unknown, indent = '  '): string {
  if (!Array.isArray(value) || value.length === 0) return JSON.stringify(value);
  const entries = value.map((entry) => `${indent}  ${formatEntry(entry, `${indent}  `)}`);
  return `[\n${entries.join(',\n')}\n${indent}]`;
}

/** With spaces, for people. An entry with nested entries takes a line for each member. */
function formatEntry(entry: unknown, indent: string): string {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return JSON.stringify(entry);
  const members = Object.entries(entry).filter(([, value]) => value !== undefined);
  if (members.some(([, value]) => isListOfEntries(value))) {
    const lines = members.map(([key, value]) => {
      const shown = isListOfEntries(value) ? formatMember(value, `${indent}  `) : JSON.stringify(value);
      return `${indent}  ${JSON.stringify(key)}: ${shown}`;
    });
    return `{\n${lines.join(',\n')}\n${indent}}`;
  }
  return `{ ${members.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(', ')} }`;
}

function isListOfEntries(value: unknown): boolean {
  return Array.isArray(value) && value.some((entry) => typeof entry === 'object' && !Array.isArray(entry));
}
