/** Translates an index's partialFilterExpression to SQL, if Postgres has an equivalent. */

import { EJSON } from 'bson';
import pg from 'pg';
import { findColumn } from '../find-column.ts';
import type { Plan, PlanColumn } from '../../transcode/plan.ts';
import { writeConstant } from './sql-constant.ts';
import { bsonTypes, rankOf } from '../../bson/types.ts';
import type { ColumnType } from '../../transcode/column-types/names.ts';
import { columnTypes } from '../../transcode/column-types/registry.ts';

export type Filter = Readonly<Record<string, unknown>>;

/** There is no equivalent; the message completes "not carried over: …". */
export class Untranslatable extends Error {}

export interface Condition {
  readonly sql: string;
  /** The columns in the condition. */
  readonly columns: readonly PlanColumn[];
}

/** @throws Untranslatable */
export function translateFilter(filter: Filter, plan: Plan): Condition {
  const columns: PlanColumn[] = [];
  const translateAll = (part: Filter): string =>
    join(
      Object.entries(part).map(([name, value]) => {
        if (name === '$and' || name === '$or') {
          return join(listFilters(value).map(translateAll), name === '$and' ? 'AND' : 'OR');
        }
        const column = findColumn(plan, name);
        if (column === undefined) throw refuse(`is on ${quoteText(name)}, which has no column of its own`);
        if (column.isArray === true) throw refuse(`is on ${quoteText(name)}, which is an array`);
        if (isChanged(column, plan)) throw refuse(`is on ${quoteText(name)}, whose values the plan changes`);
        columns.push(column);
        return join(translateField(value, column), 'AND');
      }),
      'AND',
    );
  return { sql: translateAll(filter), columns };
}

function isChanged({ field, path: inside = [] }: PlanColumn, { changes = [] }: Plan): boolean {
  const place = JSON.stringify([field, ...inside]);
  return changes.some(({ path, arrays }) => arrays === undefined && JSON.stringify(path) === place);
}

function translateField(value: unknown, column: PlanColumn): string[] {
  if (!isOperators(value)) return [equals(value, column)];
  return Object.entries(value).map(([operator, operand]) => {
    switch (operator) {
      case '$eq':
        return equals(operand, column);
      case '$in':
        return isIn(operand, column);
      case '$gt':
        return compare('>', operand, column);
      case '$gte':
        return compare('>=', operand, column);
      case '$lt':
        return compare('<', operand, column);
      case '$lte':
        return compare('<=', operand, column);
      case '$exists':
        if (operand === false) throw refuse('asks for what is missing');
        return isNotNull(column);
      case '$type':
        return hasType(operand, column);
      default:
        throw refuse(`has ${operator}`);
    }
  });
}

export function isNotNull({ column }: PlanColumn): string {
  return `${pg.escapeIdentifier(column)} IS NOT NULL`;
}

/** In MongoDB, a missing field also equals null. */
function equals(value: unknown, column: PlanColumn): string {
  const name = pg.escapeIdentifier(column.column);
  return value === null ? `${name} IS NULL` : `${name} = ${requireConstant(value, column)}`;
}

function isIn(values: unknown, column: PlanColumn): string {
  if (!Array.isArray(values)) throw refuse('has $in without a list');
  return values.length === 0
    ? 'false'
    : join(
        values.map((value) => equals(value, column)),
        'OR',
      );
}

/** MongoDB compares text by bytes, and NaN is neither less nor greater than anything. */
function compare(operator: string, value: unknown, column: PlanColumn): string {
  const constant = requireConstant(value, column);
  if (constant.startsWith("'NaN'") || column.type === 'binary') {
    throw refuse(`compares ${quoteText(column.column)} in an order that Postgres has not`);
  }
  const collation = constant.endsWith('::text') ? ' COLLATE "C"' : '';
  return `${pg.escapeIdentifier(column.column)} ${operator} ${constant}${collation}`;
}

/** The names and numbers of `$type` for the values of a column; other values are not in the column. */
function listTypesOf(type: ColumnType): readonly (string | number)[] {
  const { bsonType } = columnTypes[type];
  if (bsonType === null) return [];
  const isNumber = rankOf(bsonTypes[bsonType]) === rankOf(bsonTypes.double);
  return [bsonType, bsonTypes[bsonType], ...(isNumber ? ['number'] : [])];
}

function hasType(operand: unknown, column: PlanColumn): string {
  const wanted = Array.isArray(operand) ? (operand as unknown[]) : [operand];
  const own = listTypesOf(column.type);
  const isOwn = wanted.every((type) => own.includes(typeof type === 'string' ? type : Number(String(type))));
  if (!isOwn || wanted.length === 0) {
    throw refuse(`asks for values of ${quoteText(column.column)} that are of another type than the column`);
  }
  return isNotNull(column);
}

function requireConstant(value: unknown, column: PlanColumn): string {
  const constant = writeConstant(value, column);
  if (constant !== null) return constant;
  throw refuse(
    `compares ${quoteText(column.column)} with ${EJSON.stringify(value)}, which its column cannot have`,
  );
}

function listFilters(value: unknown): Filter[] {
  if (Array.isArray(value) && value.length > 0 && value.every(isPlainObject)) return value;
  throw refuse('has $and or $or without a list');
}

function isOperators(value: unknown): value is Filter {
  return isPlainObject(value) && Object.keys(value)[0]?.startsWith('$') === true;
}

function isPlainObject(value: unknown): value is Filter {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Joins conditions, in parentheses if there are several; none is `true`. */
function join(conditions: readonly string[], operator: 'AND' | 'OR'): string {
  const [first] = conditions;
  if (first === undefined) return 'true';
  return conditions.length === 1 ? first : `(${conditions.join(` ${operator} `)})`;
}

function quoteText(name: string): string {
  return JSON.stringify(name);
}

function refuse(why: string): Untranslatable {
  return new Untranslatable(`its filter ${why}`);
}
