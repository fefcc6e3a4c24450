/** Turns what a plan file says about values (constant, default, lowercase, mask) into changes of documents, and checks it. */

import { EJSON } from 'bson';
import { buildDocument, textOf } from '../../bson/build.ts';
import { arrayOfDocuments } from '../../bson/array.ts';
import type { FieldChange, Plan } from '../../transcode/plan.ts';
import { createRowEncoder } from '../../transcode/row.ts';
import { readValue } from '../../transcode/transform/change-value.ts';
import { isInside, parsePath } from './field-path.ts';
import type { PlanFile, PlanFileChild, PlanFileColumn } from './plan-schema.ts';

/** The field for the value of a constant column. No document has a field of this name. */
export function fieldOfConstant(column: string): string {
  return `mongo2pg.constant.${column}`;
}

/** In the order in which they are applied. */
export function listChanges(file: PlanFile): FieldChange[] {
  const { constants = [] } = file;
  return [
    ...changesWithin(file, []),
    ...constants.map(({ column, value }): FieldChange => {
      return { path: [fieldOfConstant(column)], change: { kind: 'constant', value: wrapValue(value) } };
    }),
  ];
}

type Table = Pick<PlanFileChild, 'columns' | 'children'>;

/** @param arrays the paths of the arrays around, each within an element of the one before */
function changesWithin(
  { columns, children = [] }: Table,
  arrays: readonly (readonly string[])[],
): FieldChange[] {
  return [
    ...columns.flatMap((column) => changesOf(column, arrays)),
    ...children.flatMap((child) => changesWithin(child, [...arrays, parsePath(child.path)])),
  ];
}

function changesOf(column: PlanFileColumn, arrays: readonly (readonly string[])[]): FieldChange[] {
  const { lowercase, mask, salt = '', array: isArray } = column;
  const path = parsePath(column.path);
  const within = (all: readonly (readonly string[])[]): Pick<FieldChange, 'arrays'> =>
    all.length === 0 ? {} : { arrays: all };
  // For an array of PostgreSQL, the elements are changed.
  const place = isArray === true ? { path: [], ...within([...arrays, path]) } : { path, ...within(arrays) };
  return [
    ...(lowercase === true ? [{ ...place, change: { kind: 'lowercase' as const } }] : []),
    ...(mask === undefined
      ? []
      : [{ ...place, change: mask === 'sha256' ? { kind: mask, salt } : { kind: mask } }]),
    ...(column.default === undefined
      ? []
      : [
          { path, ...within(arrays), change: { kind: 'default' as const, value: wrapValue(column.default) } },
        ]),
  ];
}

/** The format of the workers' plan: `{v: …}` in canonical Extended JSON. */
function wrapValue(value: unknown): string {
  return EJSON.stringify(
    { v: EJSON.parse(JSON.stringify(value), { relaxed: false }) as unknown },
    { relaxed: false },
  );
}

/** Each with its place: `columns[3].mask: …`. */
export function findChangeMistakes(file: PlanFile): string[] {
  const { constants = [] } = file;
  return [
    ...findMistakesWithin(file, ''),
    ...constants.flatMap(({ type, value }, index) =>
      value === undefined
        ? [`constants[${index}].value: is missing`]
        : checkValue(value, { type }, `constants[${index}].value`),
    ),
  ];
}

/** @param at the place of the table in the plan; empty for the main table */
function findMistakesWithin({ columns, children = [] }: Table, at: string): string[] {
  return [
    ...columns.flatMap((column, index) => checkChanges(column, `${at}columns[${index}]`, columns, at === '')),
    ...children.flatMap((child, index) => findMistakesWithin(child, `${at}children[${index}].`)),
  ];
}

function checkChanges(
  column: PlanFileColumn,
  at: string,
  columns: readonly PlanFileColumn[],
  isOfDocuments: boolean,
): string[] {
  const { path, type, lowercase, mask, salt } = column;
  const names = parsePath(path);
  const mistakes: string[] = [];
  const isChanged = lowercase === true || mask !== undefined || column.default !== undefined;
  if (isChanged && isOfDocuments && names[0] === '_id') {
    mistakes.push(`${at}: the _id is not to be changed: by it documents and rows are found again`);
  }
  if (mask !== undefined && type !== 'string') {
    mistakes.push(`${at}.mask: a masked value is a text: the type of its column is string`);
  }
  if (mask === 'sha256' && salt === undefined) {
    mistakes.push(`${at}.salt: is missing: without one, short values are found by trying`);
  }
  if (salt !== undefined && mask !== 'sha256') mistakes.push(`${at}.salt: only the mask sha256 has one`);
  if (mask !== undefined) {
    const inside = columns.findIndex((other) => isInside(parsePath(other.path), names));
    if (inside >= 0) mistakes.push(`${at}.mask: columns[${inside}] is of a value inside of what is masked`);
  }
  if (column.default !== undefined) {
    if (names.length === 0) mistakes.push(`${at}.default: an element is there in any case`);
    mistakes.push(...checkValue(column.default, column, `${at}.default`));
  }
  return mistakes;
}

/** Checks that the column accepts the value, with the encoder that will write it. */
function checkValue(
  value: unknown,
  { type, array, subtype }: Pick<PlanFileColumn, 'type'> & Partial<PlanFileColumn>,
  at: string,
): string[] {
  try {
    const document = buildDocument(['_id', textOf('')], ['v', readValue(wrapValue(value))]);
    const plan: Plan = {
      ...{ collection: '', schema: '', table: '', extraColumn: '_extra' },
      columns: [
        { field: '_id', column: '_id', type: 'string' },
        {
          ...{ field: 'v', column: 'v', type },
          ...(array === true ? { isArray: true } : {}),
          ...(subtype === undefined ? {} : { subtype }),
        },
      ],
    };
    const { extra, deadLetters } = createRowEncoder(plan).encodeBatch(arrayOfDocuments([document]));
    if (extra.length + deadLetters.length === 0) return [];
  } catch (error) {
    return [`${at}: ${error instanceof Error ? error.message : String(error)}`];
  }
  const kind = array === true ? `array of ${type}` : `value of the type ${type}`;
  return [`${at}: ${JSON.stringify(value)} is no ${kind}`];
}
