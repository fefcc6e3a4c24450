/** What a plan must hold beyond its shape: checks that compare one part of it with another, or with Postgres's limits. */

import { parsePath, showPath, type WrittenPath } from './field-path.ts';
import { isSystemColumn, maxColumns, maxIdentifierBytes } from './names.ts';
import type { PlanFile } from './plan-file.ts';

/** Each with its place: `columns[3].path: …`. */
export function findMistakes(file: PlanFile): string[] {
  return [...checkNames(file), ...checkPaths(file), ...checkDrops(file)];
}

/** The extra column's name when a plan does not say another. */
export const defaultExtraColumn = '_extra';

function checkNames({ schema, table, columns, extraColumn = defaultExtraColumn }: PlanFile): string[] {
  const mistakes = [
    ...(schema === undefined ? [] : checkIdentifier('schema', schema)),
    ...(table === undefined ? [] : checkIdentifier('table', table)),
  ];
  if (columns.length + 1 > maxColumns) {
    mistakes.push(
      `columns: ${columns.length} and the extra column are more than the ${maxColumns} of a table in Postgres; ` +
        'what has no entry goes to the extra column',
    );
  }
  const places = new Map<string, string>();
  const named = columns.map(({ column }, index) => [`columns[${index}].column`, column] as const);
  for (const [place, name] of [...named, ['extraColumn', extraColumn] as const]) {
    mistakes.push(...checkIdentifier(place, name));
    if (isSystemColumn(name)) mistakes.push(`${place}: every table in Postgres has a "${name}" of its own`);
    const other = places.get(name);
    if (other === undefined) places.set(name, place);
    else mistakes.push(`${place}: ${JSON.stringify(name)} is the name in ${other} already`);
  }
  return mistakes;
}

function checkIdentifier(place: string, name: string): string[] {
  if (name === '') return [`${place}: a name in Postgres is not empty`];
  if (name.includes('\0')) return [`${place}: a name in Postgres has no U+0000`];
  const length = Buffer.byteLength(name);
  if (length <= maxIdentifierBytes) return [];
  return [`${place}: ${JSON.stringify(name)} has ${length} bytes; Postgres keeps ${maxIdentifierBytes}`];
}

function checkPaths({ columns, drop = [] }: PlanFile): string[] {
  const mistakes: string[] = [];
  const places = new Map<string, string>();
  columns.forEach(({ path, type, subtype, notNull }, index) => {
    const place = `columns[${index}].path`;
    mistakes.push(...checkPath(place, path));
    const key = JSON.stringify(parsePath(path));
    if (key === idPath && notNull === false) {
      mistakes.push(`columns[${index}].notNull: the primary key is NOT NULL in any case`);
    }
    if (subtype !== undefined && type !== 'binary') {
      mistakes.push(`columns[${index}].subtype: only a column of the type binary has one`);
    }
    const other = places.get(key);
    if (other === undefined) places.set(key, place);
    else mistakes.push(`${place}: ${showPath(parsePath(path))} is in ${other} already`);
  });
  const isIdDropped = drop.some((dropped) => JSON.stringify(parsePath(dropped)) === idPath);
  if (!places.has(idPath) && !isIdDropped) {
    mistakes.push(
      'columns: one must have the path "_id", for the primary key; for a table that is there with a key of its own, "_id" may be in drop',
    );
  }
  return mistakes;
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
