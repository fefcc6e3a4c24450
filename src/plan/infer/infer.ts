/** Infers the columns of a plan from a sample of raw documents. */

import { chooseColumnType, chooseIdType, withObjectIdStyle } from './column-type.ts';
import { formatCount } from '../../common/format.ts';
import { type FieldStats, gatherStats, type SampleStats } from './field-stats.ts';
import { maxColumns, nameColumns, uniqueName } from '../../common/identifiers.ts';
import type { Plan, PlanColumn } from '../../transcode/plan.ts';
import { maxRowWidth, widestRow } from '../../transcode/row-width.ts';
import { byFrequency } from './seen.ts';
import type { Layout, ObjectIdStyle } from '../../config/plan-choices.ts';
import type { ColumnType } from '../../transcode/column-types/names.ts';

export interface Inference extends Pick<Plan, 'columns' | 'extraColumn' | 'keepsWhole'> {
  /** Information about these columns for people. */
  readonly notices: readonly string[];
  /** The statistics of the sample. */
  readonly stats: SampleStats;
}

export interface InferOptions {
  /** How ObjectIds are stored (default: text). */
  readonly objectId?: ObjectIdStyle;
  /** One column for each field, or one for the whole document (default: columns). */
  readonly layout?: Layout;
  /** Fields that become NOT NULL, unless a document of the sample has no value for them. */
  readonly requiredFields?: readonly string[];
}

/**
 * @param sample raw documents; corrupt ones are ignored
 * @param stats their statistics
 */
export async function inferColumns(
  sample: readonly Uint8Array[],
  options: InferOptions = {},
  stats: SampleStats = gatherStats(sample),
): Promise<Inference> {
  const isWhole = options.layout === 'document';
  const fields = isWhole
    ? [...stats.fields.values()].slice(0, 1)
    : await chooseFields(sample, stats, options);
  const names = nameColumns(fields.map(({ path }) => nameOf(path)));
  const extraColumn = isWhole ? 'document' : uniqueName('_extra', new Set(names));
  const notices: string[] = [];
  const columns = fields.map((field, index): PlanColumn => {
    const name = nameOf(field.path);
    const column = names[index] ?? name;
    const type = chooseType(field, options.objectId);
    const isRequired = isAsked(field, options) && countValues(field) === stats.documents;
    const planned = { field: name, column, type, ...(isRequired ? { isRequired } : {}) };
    notices.push(...describeField(field, planned, options));
    return planned;
  });
  const left = isWhole ? 0 : stats.fields.size - fields.length;
  if (left > 0) {
    notices.push(
      `${left} rare fields have no column of their own and go to ${extraColumn}: ` +
        `a table has at most ${formatCount(maxColumns)} columns, and a row must fit a page`,
    );
  }
  return { columns, extraColumn, ...(isWhole ? { keepsWhole: true } : {}), notices, stats };
}

function describeField(seen: FieldStats, planned: PlanColumn, options: InferOptions): string[] {
  const { field, column, type, isRequired } = planned;
  const notices: string[] = [];
  const name = JSON.stringify(field);
  if (column !== field) notices.push(`the field ${name} goes to the column "${column}"`);
  const met = byFrequency(seen.types)
    .map(([type]) => type)
    .filter((type) => type !== 'null');
  if (met.length > 1 && type === 'json') {
    notices.push(`the field ${name} has several types (${met.join(', ')}) and becomes jsonb`);
  }
  if (isAsked(seen, options) && isRequired !== true) {
    notices.push(`the validator requires ${name}, but a document without a value was found: it may be NULL`);
  }
  return notices;
}

/** `_id` is NOT NULL anyway. */
function isAsked({ path }: FieldStats, { requiredFields = [] }: InferOptions): boolean {
  return nameOf(path) !== '_id' && requiredFields.includes(nameOf(path));
}

/**
 * `_id` and the most frequent fields, in the order of first occurrence. If rows may not fit a page, the most frequent fields
 * come first, because a row that is too wide moves the values of its last columns to the overflow column. Fields that most
 * rows would have to move get no column.
 */
async function chooseFields(
  sample: readonly Uint8Array[],
  { fields }: SampleStats,
  { objectId }: InferOptions,
): Promise<FieldStats[]> {
  const [id, ...others] = fields.values();
  if (id === undefined) return [];
  // Besides `_id` and the overflow column.
  const frequent = [id, ...others.sort((a, b) => b.count - a.count).slice(0, maxColumns - 2)];
  const columns = frequent.map((field): PlanColumn => {
    const name = nameOf(field.path);
    return { field: name, column: name, type: chooseType(field, objectId) };
  });
  if (widestRow(columns) > maxRowWidth) {
    // Loaded only now, because it needs the transcoder, which the primary does not use otherwise.
    const { findUnmapped } = await import('./unmapped.ts');
    const unmapped = findUnmapped(sample, columns);
    return frequent.filter(({ path, count }) => (unmapped.get(nameOf(path)) ?? 0) * 2 <= count);
  }
  const chosen = new Set(frequent);
  return [...fields.values()].filter((field) => chosen.has(field));
}

/** The path of a top-level field is its name. */
function nameOf([name = '']: readonly string[]): string {
  return name;
}

function countValues({ count, types }: FieldStats): number {
  return count - (types.get('null') ?? 0);
}

/** The type of the column for a field, nested or not. */
export function chooseType({ path, types }: FieldStats, objectId: ObjectIdStyle = 'text'): ColumnType {
  const isId = path.length === 1 && nameOf(path) === '_id';
  const type = isId ? chooseIdType(new Set(types.keys())) : chooseColumnType(types.keys());
  return withObjectIdStyle(type, objectId);
}
