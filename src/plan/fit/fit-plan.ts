/** Fits a plan to an existing table: the table decides about columns and types, not the sample. */

import { formatCount } from '../../common/format.ts';
import type { ColumnTarget, ExistingTable, TableColumn } from '../../transcode/column-target.ts';
import type { SampleStats } from '../infer/field-stats.ts';
import { defaultExtraColumn } from '../file/default-columns.ts';
import type { Plan, PlanColumn } from '../../transcode/plan.ts';
import type { ValueKind } from '../../transcode/column-types/names.ts';
import { sqlTypeOf } from '../../transcode/column-types/of-column.ts';
import { valueKinds } from '../../transcode/column-types/registry.ts';

export interface FittedPlan {
  readonly plan: Plan;
  /** Why the documents do not fit the table; empty if they do. */
  readonly mistakes: readonly string[];
  /** Information for people. */
  readonly notices: readonly string[];
}

/**
 * @param isInferred for an inferred plan, columns are removed and added to match the table. A plan of the user is used as it
 *   is, or refused.
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
  for (const { column, type } of plan.generated ?? []) {
    const found = byName.get(column);
    if (found?.isGenerated !== true) {
      mistakes.push(
        `"${column}" (${type}, GENERATED ALWAYS) is ${found === undefined ? 'missing' : 'not generated'}`,
      );
    }
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

/** Top-level fields that have no column, if there is no overflow column and they are not dropped. */
export function findUnmappedFields(plan: Plan, { fields }: SampleStats): string[] {
  if (plan.extraColumn !== null) return [];
  const housed = new Set(plan.dropped);
  for (const { field, path = [] } of [...plan.columns, ...(plan.children ?? [])]) {
    if (path.length === 0) housed.add(field);
  }
  for (const [field = '', ...path] of plan.flattened ?? []) if (path.length === 0) housed.add(field);
  return [...fields.keys()].filter((field) => !housed.has(field));
}

/** Nobody reads a longer list. */
const maxNames = 10;

export function listFields(fields: readonly string[]): string {
  const shown = fields.slice(0, maxNames).map((field) => JSON.stringify(field));
  const more = fields.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '');
}

/** An existing table may have no overflow column, unless the plan needs it. */
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
  // A column of another type with this name is an ordinary column.
  return { column: null, mistakes: isDemanded ? [`${name} is ${found.typeName}, not jsonb`] : [] };
}

function describeMisfit(
  planned: PlanColumn,
  found: TableColumn | undefined,
  isInferred: boolean,
): string | null {
  if (found === undefined) return `(${sqlTypeOf(planned)}) is missing`;
  if (found.isGenerated) return 'is GENERATED ALWAYS, and takes no values';
  if (found.target === null) return `is ${found.typeName}, which changes values without saying so`;
  if (isInferred || agrees(planned, found.target)) return null;
  const type = `${planned.type}${planned.isArray === true ? '[]' : ''}`;
  return `is ${found.typeName}, which has no values of the type ${type}`;
}

function agrees({ type, isArray }: PlanColumn, { kind, element }: ColumnTarget): boolean {
  const taken = isArray === true ? element?.kind : kind;
  return taken !== undefined && valueKinds[taken].planTypes.includes(type);
}

/** `json` in the sample may mean several types, so it is no surprise. */
function describeSurprise(planned: PlanColumn, target: ColumnTarget): string[] {
  const { field, type, isArray } = planned;
  const { kind, name } = target;
  if (isArray === true && agrees(planned, target)) return [];
  const types = valueKinds[kind].planTypes;
  if (type === 'json' || types[0] === 'json' || types.includes(type)) return [];
  return [
    `the field ${JSON.stringify(field)} is of the type ${type} in the sample, and its column is ${name}`,
  ];
}

/** The column is as this tool creates it, so no target type is needed. */
function isOwnType(planned: PlanColumn, { typeName }: TableColumn, { isOwn }: ExistingTable): boolean {
  return isOwn && planned.target === undefined && sqlTypeOf(planned) === typeName;
}

function follow(planned: PlanColumn, target: ColumnTarget): PlanColumn {
  return { ...planned, type: chooseType(planned.type, target.kind), target };
}

function createColumn(name: string, target: ColumnTarget): PlanColumn {
  return { field: name, column: name, type: valueKinds[target.kind].planTypes[0], target };
}

function chooseType(planned: PlanColumn['type'], kind: ValueKind): PlanColumn['type'] {
  const types = valueKinds[kind].planTypes;
  return types.includes(planned) ? planned : types[0];
}
