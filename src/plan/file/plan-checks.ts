/** Checks of a plan file beyond its schema: consistency of its parts, and the limits of Postgres. */

import { defaultChildColumns, defaultExtraColumn, nameKey } from './default-columns.ts';
import { isInside, parsePath, showPath, type WrittenPath } from './field-path.ts';
import {
  findNameMistake,
  findSchemaMistake,
  isSystemColumn,
  maxColumns,
  maxKeyColumns,
} from '../../common/identifiers.ts';
import { findChangeMistakes } from './column-changes.ts';
import type { PlanFile, PlanFileChild } from './plan-schema.ts';

/** Each mistake begins with its place: `columns[3].path: …`. */
export function findMistakes(file: PlanFile): string[] {
  return [
    ...checkNames(file),
    ...checkPaths(file.columns, 'columns'),
    ...checkKey(file),
    ...checkDrops(file),
    ...checkFlatten(file, '', ['_id']),
    ...checkChildren(file),
    ...findChangeMistakes(file),
  ];
}

/** A column's name, and its place in the plan. */
type NamedPlace = readonly [place: string, name: string];

function checkNames(file: PlanFile): string[] {
  const { schema, table, columns, constants = [], generated = [], extraColumn = defaultExtraColumn } = file;
  const count = columns.length + constants.length + generated.length;
  const mistakes = [
    ...(schema === undefined ? [] : checkIdentifier('schema', schema, findSchemaMistake)),
    ...(table === undefined ? [] : checkIdentifier('table', table)),
    ...checkCount(count, 'columns'),
  ];
  const named = columns.map(({ column }, index): NamedPlace => [`columns[${index}].column`, column]);
  const others = Object.entries({ constants, generated }).flatMap(([list, entries]) =>
    entries.map(({ column }, index): NamedPlace => [`${list}[${index}].column`, column]),
  );
  return [...mistakes, ...checkColumnNames([...named, ...others, ['extraColumn', extraColumn]], '')];
}

/** @param count without the overflow column */
function checkCount(count: number, place: string): string[] {
  if (count + 1 <= maxColumns) return [];
  return [
    `${place}: ${count} and the extra column are more than the ${maxColumns} of a table in Postgres; ` +
      'what has no entry goes to the extra column',
  ];
}

/** @param at the place of the table in the plan; empty for the main table */
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
  columns.forEach(({ path, type, array, subtype, notNull }, index) => {
    const place = `${at}[${index}].path`;
    mistakes.push(...checkPath(place, path));
    const key = JSON.stringify(parsePath(path));
    if (path.length === 0 && typeof path !== 'string' && at === 'columns') {
      mistakes.push(`${place}: must not be empty`);
    }
    if (array === true && type === 'json') {
      mistakes.push(`${at}[${index}].array: a json column takes arrays as they are`);
    }
    if (array === true && key === idPath && at === 'columns') {
      mistakes.push(`${at}[${index}].array: the _id of a document in MongoDB is no array`);
    }
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

function checkChildren(file: PlanFile): string[] {
  const { table, columns, children = [], drop, keepsWhole } = file;
  const mistakes: string[] = [];
  if (children.length > 0 && !columns.some(({ path }) => JSON.stringify(parsePath(path)) === idPath)) {
    mistakes.push('children: their rows need the _id of their documents, which has no column');
  }
  if (children.length > 0 && keepsWhole === true) {
    mistakes.push('children: with keepsWhole every document is kept whole');
  }
  const tables = new Map<string, string>(table === undefined ? [] : [[table, 'table']]);
  return [...mistakes, ...checkChildrenOf({ columns, children, drop }, '', null, tables)];
}

/** The parent of child tables: the main table, or another child table. */
interface Around extends Pick<PlanFileChild, 'columns'> {
  readonly children?: readonly PlanFileChild[] | undefined;
  readonly drop?: readonly WrittenPath[] | undefined;
}

/**
 * @param at the place of the parent in the plan; empty for the main table
 * @param above the names of the parent's key columns; null for the main table
 * @param tables the table names so far, with their places
 */
function checkChildrenOf(
  { columns, children = [], drop = [] }: Around,
  at: string,
  above: readonly string[] | null,
  tables: Map<string, string>,
): string[] {
  const mistakes: string[] = [];
  const inside = at === '' ? '' : `${at}.`;
  const taken = new Map<string, string>([
    ...columns.map(
      ({ path }, index) => [JSON.stringify(parsePath(path)), `${inside}columns[${index}]`] as const,
    ),
    ...drop.map((path, index) => [JSON.stringify(parsePath(path)), `drop[${index}]`] as const),
  ]);
  children.forEach((child, index) => {
    const place = `${inside}children[${index}]`;
    const names = parsePath(child.path);
    mistakes.push(
      ...checkPath(`${place}.path`, child.path),
      ...checkIdentifier(`${place}.table`, child.table),
    );
    const outer = children.findIndex((other) => isInside(names, parsePath(other.path)));
    if (outer >= 0) {
      mistakes.push(
        `${place}.path: ${showPath(names)} is inside of the elements of ${inside}children[${outer}]: say it in the children ` +
          'of that one, with the path within an element',
      );
    }
    const key = JSON.stringify(names);
    const other = taken.get(key);
    if (other !== undefined) mistakes.push(`${place}.path: ${showPath(names)} is in ${other} already`);
    taken.set(key, place);
    const namesake = tables.get(child.table);
    if (namesake !== undefined) {
      mistakes.push(`${place}.table: ${JSON.stringify(child.table)} is the name in ${namesake} already`);
    }
    tables.set(child.table, `${place}.table`);
    if (above !== null && child.parentColumn !== undefined) {
      mistakes.push(`${place}.parentColumn: it is called as in ${at}`);
    }
    const keyNames = nameKey(child, above);
    if (keyNames.length === maxKeyColumns + 1) {
      mistakes.push(
        `${place}: the key would have ${keyNames.length} columns, and one in Postgres has at most ${maxKeyColumns}; ` +
          'an array without a child table goes to a json column or to the extra column',
      );
    }
    mistakes.push(
      ...checkCount(keyNames.length + child.columns.length, `${place}.columns`),
      ...checkPaths(child.columns, `${place}.columns`),
      ...checkColumnNames(listChildColumns(child, keyNames), place),
      ...checkFlatten(child, `${place}.`, null),
      ...checkChildrenOf(child, place, keyNames, tables),
    );
  });
  return mistakes;
}

/** @param id the path of the key, which cannot be flattened; null if there is none */
function checkFlatten(
  {
    flatten = [],
    columns,
    children = [],
    drop = [],
    keepsWhole,
  }: Around & Pick<PlanFile, 'flatten' | 'keepsWhole'>,
  at: string,
  id: readonly string[] | null,
): string[] {
  if (keepsWhole === true && flatten.length > 0) {
    return [`${at}flatten: with keepsWhole every document is kept whole`];
  }
  const mistakes: string[] = [];
  const keyOf = (path: WrittenPath): string => JSON.stringify(parsePath(path));
  const all = new Set(flatten.map(keyOf));
  flatten.forEach((path, index) => {
    const place = `${at}flatten[${index}]`;
    const names = parsePath(path);
    const key = keyOf(path);
    const shown = showPath(names);
    mistakes.push(...checkPath(place, path));
    if (flatten.findIndex((other) => keyOf(other) === key) < index) {
      mistakes.push(`${place}: ${shown} is listed already`);
    }
    if (id !== null && names[0] === id[0]) mistakes.push(`${place}: the primary key is not taken apart`);
    const around = names.slice(0, -1);
    if (around.length > 0 && !all.has(JSON.stringify(around))) {
      mistakes.push(`${place}: the document around it, ${showPath(around)}, must be listed too`);
    }
    const column = columns.findIndex((other) => keyOf(other.path) === key && other.type === 'json');
    if (column >= 0) {
      mistakes.push(`${place}: ${at}columns[${column}] has ${shown} whole, as it is of the type json`);
    }
    const child = children.findIndex((other) => keyOf(other.path) === key);
    if (child >= 0) mistakes.push(`${place}: ${shown} is the array of ${at}children[${child}]`);
    if (drop.some((other) => keyOf(other) === key)) mistakes.push(`${place}: ${shown} is in drop`);
  });
  return mistakes;
}

/** All columns of a child table, with default names where the plan has none. */
function listChildColumns(child: PlanFileChild, keyNames: readonly string[]): NamedPlace[] {
  const { extraColumn = defaultChildColumns.extraColumn } = child;
  const keyPlaces = keyNames.map((name, place): NamedPlace => {
    if (place === keyNames.length - 1) return ['ordinalColumn', name];
    return [place === 0 ? 'parentColumn' : 'the key of what is around', name];
  });
  return [
    ...keyPlaces,
    ...child.columns.map(({ column }, index): NamedPlace => [`columns[${index}].column`, column]),
    ['extraColumn', extraColumn],
  ];
}

const idPath = JSON.stringify(['_id']);

function checkPath(place: string, path: WrittenPath): string[] {
  const names = parsePath(path);
  if (names.some((name) => name.includes('\0'))) return [`${place}: a name in MongoDB has no U+0000`];
  // `a..b` is probably a mistake, not a field with an empty name. A list is unambiguous.
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
