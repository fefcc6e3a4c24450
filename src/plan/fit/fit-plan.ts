/** Fits a plan to a table that already exists: what goes to which column follows the table and not the sample. */

import { formatCount } from '../../common/format.ts';
import {
  type ColumnTarget,
  type ExistingTable,
  planTypesOf,
  type TableColumn,
  type ValueKind,
} from '../../transcode/column-target.ts';
import type { SampleStats } from '../infer/field-stats.ts';
import { defaultExtraColumn } from '../file/plan-checks.ts';
import type { Plan, PlanColumn } from '../../transcode/plan.ts';
import { columnTypes } from '../../transcode/column-types.ts';

export interface FittedPlan {
  readonly plan: Plan;
  /** Why the table cannot take the documents; it can when there is none. */
  readonly mistakes: readonly string[];
  /** What a person should know. */
  readonly notices: readonly string[];
}

/**
 * @param isInferred the plan is a guess: columns that are not in the table are taken out, and those that it does not have
 *   are added. A plan that a person wrote is followed, or refused.
 */
export function fitPlan(plan: Plan, table: ExistingTable, isInferred: boolean): FittedPlan {
  const byName = new Map(table.columns.map((column) => [column.column, column]));
  const extra = findExtraColumn(plan, byName.get(plan.extraColumn ?? defaultExtraColumn), isInferred);
  const mistakes = [...extra.mistakes];
  const notices: string[] = [];
  const columns: PlanColumn[] = [];
  for (const planned of plan.columns) {
    const found = byName.get(planned.column);
    if (isInferred && (found === undefined || found.isGenerated || found.column === extra.column)) continue;
    const mistake = describeMisfit(planned, found, isInferred);
    if (mistake !== null) mistakes.push(`"${planned.column}" ${mistake}`);
    if (found === undefined || found.target === null) continue;
    if (isInferred) notices.push(...describeSurprise(planned, found.target));
    columns.push(isOwnType(planned, found, table) ? planned : follow(planned, found.target));
  }
  const named = new Set([...columns.map(({ column }) => column), extra.column]);
  const unnamed = table.columns.filter(({ column, isGenerated }) => !named.has(column) && !isGenerated);
  const filled = unnamed.filter(({ hasDefault }) => hasDefault).map(({ column }) => `"${column}"`);
  if (filled.length > 0) notices.push(`filled by default, as no field is for them: ${filled.join(', ')}`);
  for (const column of unnamed.filter(({ hasDefault }) => !hasDefault)) {
    if (column.isNotNull) {
      const field = isInferred ? 'no field of the sample has its name' : 'the plan has no entry for it';
      mistakes.push(`"${column.column}" is NOT NULL without a default, and ${field}`);
    } else if (isInferred && column.target !== null && plan.dropped?.includes(column.column) !== true) {
      columns.push(createColumn(column.column, column.target));
    }
  }
  return { plan: { ...plan, columns, extraColumn: extra.column }, mistakes, notices };
}

/** Top-level fields that would have no place: neither a column nor the extra column, and are not dropped either. */
export function findUnmappedFields(plan: Plan, { fields }: SampleStats): string[] {
  if (plan.extraColumn !== null) return [];
  const housed = new Set(plan.dropped);
  for (const { field, path = [] } of [...plan.columns, ...(plan.children ?? [])]) {
    if (path.length === 0) housed.add(field);
  }
  return [...fields.keys()].filter((field) => !housed.has(field));
}

/** More are a list that nobody reads. */
const maxNames = 10;

export function listFields(fields: readonly string[]): string {
  const shown = fields.slice(0, maxNames).map((field) => JSON.stringify(field));
  const more = fields.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '');
}

/** A table may do without one, unless the plan depends on it. */
function findExtraColumn(
  { extraColumn, keepsWhole }: Plan,
  found: TableColumn | undefined,
  isInferred: boolean,
): { column: string | null; mistakes: string[] } {
  if (found?.target?.kind === 'jsonb' && !found.isGenerated) return { column: found.column, mistakes: [] };
  const isDemanded =
    keepsWhole === true || (!isInferred && (extraColumn ?? defaultExtraColumn) !== defaultExtraColumn);
  const name = `"${extraColumn ?? defaultExtraColumn}"`;
  if (found === undefined) {
    return { column: null, mistakes: isDemanded ? [`${name} (jsonb) is missing`] : [] };
  }
  // A column of that name that takes a field of that name is like any other.
  return { column: null, mistakes: isDemanded ? [`${name} is ${found.typeName}, not jsonb`] : [] };
}

function describeMisfit(
  { type }: PlanColumn,
  found: TableColumn | undefined,
  isInferred: boolean,
): string | null {
  if (found === undefined) return `(${columnTypes[type]}) is missing`;
  if (found.isGenerated) return 'is GENERATED ALWAYS, and takes no values';
  if (found.target === null) return `is ${found.typeName}, which changes values without saying so`;
  if (isInferred || planTypesOf(found.target.kind).includes(type)) return null;
  return `is ${found.typeName}, which has no values of the type ${type}`;
}

/** A sample of several types says `json`, and nothing about which. */
function describeSurprise({ field, type }: PlanColumn, { kind, name }: ColumnTarget): string[] {
  const types = planTypesOf(kind);
  if (type === 'json' || types[0] === 'json' || types.includes(type)) return [];
  return [
    `the field ${JSON.stringify(field)} is of the type ${type} in the sample, and its column is ${name}`,
  ];
}

/** The column is as this tool itself makes it, so that nothing more needs to be known of it. */
function isOwnType(
  { type, target }: PlanColumn,
  { typeName }: TableColumn,
  { isOwn }: ExistingTable,
): boolean {
  return isOwn && target === undefined && columnTypes[type] === typeName;
}

function follow(planned: PlanColumn, target: ColumnTarget): PlanColumn {
  return { ...planned, type: chooseType(planned.type, target.kind), target };
}

function createColumn(name: string, target: ColumnTarget): PlanColumn {
  return { field: name, column: name, type: planTypesOf(target.kind)[0], target };
}

function chooseType(planned: PlanColumn['type'], kind: ValueKind): PlanColumn['type'] {
  const types = planTypesOf(kind);
  return types.includes(planned) ? planned : types[0];
}
