/** What a plan must hold beyond its shape: checks that compare one part of it with another, or with Postgres's limits. */

import { parsePath, showPath, type WrittenPath } from './field-path.ts';
import { findNameMistake, findSchemaMistake, isSystemColumn, maxColumns } from '../../common/identifiers.ts';
import type { PlanFile, PlanFileChild } from './plan-schema.ts';

/** Each with its place: `columns[3].path: …`. */
export function findMistakes(file: PlanFile): string[] {
  return [
    ...checkNames(file),
    ...checkPaths(file.columns, 'columns'),
    ...checkKey(file),
    ...checkDrops(file),
    ...checkChildren(file),
  ];
}

/** The extra column's name when a plan does not say another. */
export const defaultExtraColumn = '_extra';
export const defaultChildColumns = {
  parentColumn: 'parent_id',
  ordinalColumn: 'ordinal',
  extraColumn: defaultExtraColumn,
};

/** A column's name, and where in the plan it is given. */
type NamedPlace = readonly [place: string, name: string];

function checkNames({ schema, table, columns, extraColumn = defaultExtraColumn }: PlanFile): string[] {
  const mistakes = [
    ...(schema === undefined ? [] : checkIdentifier('schema', schema, findSchemaMistake)),
    ...(table === undefined ? [] : checkIdentifier('table', table)),
  ];
  if (columns.length + 1 > maxColumns) {
    mistakes.push(
      `columns: ${columns.length} and the extra column are more than the ${maxColumns} of a table in Postgres; ` +
        'what has no entry goes to the extra column',
    );
  }
  const named = columns.map(({ column }, index): NamedPlace => [`columns[${index}].column`, column]);
  return [...mistakes, ...checkColumnNames([...named, ['extraColumn', extraColumn]], '')];
}

/** @param at where the table is in the plan; empty for the documents' own */
function checkColumnNames(named: readonly NamedPlace[], at: string): string[] {
  const mistakes: string[] = [];
  const places = new Map<string, string>();
  for (const [local, name] of named) {
    const place = at === '' ? local : `${at}.${local}`;
    mistakes.push(...checkIdentifier(place, name));
    if (isSystemColumn(name)) mistakes.push(`${place}: every table in Postgres has a "${name}" of its own`);
    const other = places.get(name);
    if (other === undefined) places.set(name, place);
    else mistakes.push(`${place}: ${JSON.stringify(name)} is the name in ${other} already`);
  }
  return mistakes;
}

function checkIdentifier(place: string, name: string, findMistake = findNameMistake): string[] {
  const mistake = findMistake(name);
  return mistake === null ? [] : [`${place}: ${mistake}`];
}

function checkPaths(columns: PlanFile['columns'], at: string): string[] {
  const mistakes: string[] = [];
  const places = new Map<string, string>();
  columns.forEach(({ path, type, subtype, notNull }, index) => {
    const place = `${at}[${index}].path`;
    mistakes.push(...checkPath(place, path));
    const key = JSON.stringify(parsePath(path));
    if (key === idPath && notNull === false && at === 'columns') {
      mistakes.push(`columns[${index}].notNull: the primary key is NOT NULL in any case`);
    }
    if (subtype !== undefined && type !== 'binary') {
      mistakes.push(`${at}[${index}].subtype: only a column of the type binary has one`);
    }
    const other = places.get(key);
    if (other === undefined) places.set(key, place);
    else mistakes.push(`${place}: ${showPath(parsePath(path))} is in ${other} already`);
  });
  return mistakes;
}

function checkKey({ columns, drop = [] }: PlanFile): string[] {
  const isId = (path: WrittenPath): boolean => JSON.stringify(parsePath(path)) === idPath;
  if (columns.some(({ path }) => isId(path)) || drop.some(isId)) return [];
  return [
    'columns: one must have the path "_id", for the primary key; for an existing table with its own key, "_id" may be in drop',
  ];
}

function checkChildren({ table, columns, children = [], drop = [], keepsWhole }: PlanFile): string[] {
  const mistakes: string[] = [];
  if (children.length > 0 && !columns.some(({ path }) => JSON.stringify(parsePath(path)) === idPath)) {
    mistakes.push('children: their rows need the _id of their documents, which has no column');
  }
  if (children.length > 0 && keepsWhole === true) {
    mistakes.push('children: with keepsWhole every document is kept whole');
  }
  const taken = new Map<string, string>([
    ...columns.map(({ path }, index) => [JSON.stringify(parsePath(path)), `columns[${index}]`] as const),
    ...drop.map((path, index) => [JSON.stringify(parsePath(path)), `drop[${index}]`] as const),
  ]);
  const tables = new Map<string, string>(table === undefined ? [] : [[table, 'table']]);
  children.forEach((child, index) => {
    const at = `children[${index}]`;
    const names = parsePath(child.path);
    mistakes.push(...checkPath(`${at}.path`, child.path), ...checkIdentifier(`${at}.table`, child.table));
    const outer = children.findIndex((other) => isInside(names, parsePath(other.path)));
    if (outer >= 0) {
      mistakes.push(
        `${at}.path: ${showPath(names)} is inside of the elements of children[${outer}], and arrays of elements ` +
          'have no tables of their own: they can have a json column there',
      );
    }
    const key = JSON.stringify(names);
    const other = taken.get(key);
    if (other !== undefined) mistakes.push(`${at}.path: ${showPath(names)} is in ${other} already`);
    taken.set(key, at);
    const namesake = tables.get(child.table);
    if (namesake !== undefined) {
      mistakes.push(`${at}.table: ${JSON.stringify(child.table)} is the name in ${namesake} already`);
    }
    tables.set(child.table, `${at}.table`);
    mistakes.push(
      ...checkPaths(child.columns, `${at}.columns`),
      ...checkColumnNames(listChildColumns(child), at),
    );
  });
  return mistakes;
}

/** Whether the path leads through the other one, and beyond it. */
function isInside(path: readonly string[], other: readonly string[]): boolean {
  return path.length > other.length && other.every((name, index) => path[index] === name);
}

/** With the names that hold when the plan does not say others. */
function listChildColumns(child: PlanFileChild): NamedPlace[] {
  const {
    parentColumn = defaultChildColumns.parentColumn,
    ordinalColumn = defaultChildColumns.ordinalColumn,
    extraColumn = defaultChildColumns.extraColumn,
  } = child;
  return [
    ['parentColumn', parentColumn],
    ['ordinalColumn', ordinalColumn],
    ...child.columns.map(({ column }, index): NamedPlace => [`columns[${index}].column`, column]),
    ['extraColumn', extraColumn],
  ];
}

const idPath = JSON.stringify(['_id']);

function checkPath(place: string, path: WrittenPath): string[] {
  const names = parsePath(path);
  if (names.some((name) => name.includes('\0'))) return [`${place}: a name in MongoDB has no U+0000`];
  // `a..b` is more often a slip than a field without a name; a list means what it says.
  if (typeof path !== 'string' || !names.includes('')) return [];
  return [
    `${place}: ${JSON.stringify(path)} has an empty name; if that is meant: ${JSON.stringify(names)}; ` +
      `if the dot is part of a name: ${JSON.stringify([path])}`,
  ];
}

function checkDrops({ columns, drop = [], keepsWhole }: PlanFile): string[] {
  if (keepsWhole === true && drop.length > 0) return ['drop: with keepsWhole every document is kept whole'];
  const mistakes: string[] = [];
  const columnPaths = new Map(columns.map(({ path }, index) => [JSON.stringify(parsePath(path)), index]));
  const dropped = new Set<string>();
  drop.forEach((path, index) => {
    const place = `drop[${index}]`;
    const names = parsePath(path);
    const key = JSON.stringify(names);
    mistakes.push(...checkPath(place, path));
    if (names.length > 1) {
      const meant =
        typeof path === 'string' ? `; if the dot is part of the name: ${JSON.stringify([path])}` : '';
      mistakes.push(`${place}: only top-level fields can be dropped${meant}`);
    }
    if (columnPaths.has(key)) {
      mistakes.push(`${place}: ${showPath(names)} has a column, columns[${columnPaths.get(key) ?? ''}]`);
    }
    if (dropped.has(key)) mistakes.push(`${place}: ${showPath(names)} is listed already`);
    dropped.add(key);
  });
  return mistakes;
}
