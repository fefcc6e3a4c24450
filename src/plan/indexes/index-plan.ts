/** Translates a collection's indexes to Postgres, or says why there is no equivalent. */

import pg from 'pg';
import type { IndexKey, IndexSpec } from '../../source/index-spec.ts';
import { findColumn, findJsonColumn, findTableOf, type TableOfPath } from '../find-column.ts';
import { isNotNull, translateFilter, Untranslatable, type Condition } from './index-filter.ts';
import { uniqueName } from '../../common/identifiers.ts';
import { isIdColumn, type Plan, type PlanColumn } from '../../transcode/plan.ts';

const quote = pg.escapeIdentifier;

/** The first version with UNIQUE NULLS NOT DISTINCT. */
const nullsNotDistinctSince = 15;

export interface IndexPlan {
  readonly planned: readonly PlannedIndex[];
  readonly left: readonly LeftIndex[];
}

export interface PlannedIndex {
  /** Its name in MongoDB. */
  readonly index: string;
  /** The main table, or the child table with the values. */
  readonly table: Pick<Plan, 'schema' | 'table'>;
  /** Its name in Postgres, if the name is free. */
  readonly name: string;
  readonly isUnique: boolean;
  /** The end of its statement: table, columns and condition. */
  readonly definition: string;
  /** Differences from the index in MongoDB. */
  readonly notices: readonly string[];
}

export interface LeftIndex {
  /** MongoDB's name of it. */
  readonly index: string;
  /** Completes "not carried over: …". */
  readonly reason: string;
}

/** What decides which indexes there can be, beside the plan. */
export interface IndexTarget {
  /** The major version of Postgres. */
  readonly version: number;
  /** On several nodes, by the column of `_id`. */
  readonly isDistributed?: boolean;
}

export function planIndexes(specs: readonly IndexSpec[], plan: Plan, target: IndexTarget): IndexPlan {
  const planned = new Map<string, PlannedIndex>();
  const left: LeftIndex[] = [];
  const names = new Set<string>();
  for (const spec of specs) {
    if (isIdIndex(spec)) continue;
    try {
      const index = translateIndex(spec, plan, target);
      const statement = createIndexStatement(index, '');
      const same = planned.get(statement);
      if (same !== undefined) throw new Untranslatable(`in Postgres it would be the same as ${same.name}`);
      planned.set(statement, { ...index, name: uniqueName(index.name, names) });
    } catch (error) {
      if (!(error instanceof Untranslatable)) throw error;
      left.push({ index: spec.name, reason: error.message });
    }
  }
  return { planned: [...planned.values()], left };
}

/** @param name may differ from the planned one if that is taken */
export function createIndexStatement({ isUnique, definition }: PlannedIndex, name: string): string {
  return `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${quote(name)} ON ${definition}`;
}

/** The index on `_id`, which the primary key replaces. */
function isIdIndex({ key }: IndexSpec): boolean {
  return key.length === 1 && key[0]?.path === '_id' && key[0].kind === 1;
}

function translateIndex(
  spec: IndexSpec,
  plan: Plan,
  { version: serverVersion, isDistributed }: IndexTarget,
): PlannedIndex {
  const { name, key, isUnique, expireAfterSeconds } = spec;
  for (const { path, kind } of key) requireKind(path, kind, plan);
  const found = key.map(({ path }) => findTableOf(plan, path));
  const [table = plan, ...others] = new Set(found.map((part) => part.table));
  if (others.length > 0) {
    const names = [table, ...others].map((part) => JSON.stringify(part.table)).join(', ');
    throw new Untranslatable(`its fields are in several tables: ${names}`);
  }
  if (table !== plan) requireForRows(spec, table);
  const columns = found.map((part, index) =>
    table === plan ? requireColumn(part.path, plan) : requireChildColumn(part, key[index]?.path ?? ''),
  );
  if (table === plan && columns.length === 1 && columns.every(isIdColumn)) {
    throw new Untranslatable('the primary key serves it');
  }
  if (isUnique && plan.partitions !== undefined && !columns.some(isIdColumn)) {
    throw new Untranslatable('a unique index of a table in partitions has to have _id');
  }
  if (isDistributed && isUnique && !columns.some(isIdColumn)) {
    throw new Untranslatable(
      'its table is distributed by _id, and no node knows the values that others have: Citus has only unique indexes with that column',
    );
  }
  const condition = translateCondition(spec, columns, plan);
  requireCollation(spec, [...columns, ...(condition?.columns ?? [])]);
  const areNullsIn = columns.some(isNullable) && !(spec.isSparse && columns.length === 1);
  const hasNullsNotDistinct = serverVersion >= nullsNotDistinctSince;

  const isGin = columns.some(({ isArray }) => isArray === true);
  if (isGin) requireForArray(spec, columns, table);
  const terms = columns.map(
    ({ column }, index) => `${quote(column)}${key[index]?.kind === -1 && !isGin ? ' DESC' : ''}`,
  );
  const nulls = isUnique && areNullsIn && hasNullsNotDistinct ? ' NULLS NOT DISTINCT' : '';
  const where = condition === null ? '' : ` WHERE ${condition.sql}`;
  return {
    index: name,
    table: { schema: table.schema, table: table.table },
    // U+0000 would end the statement.
    name: `${plan.table}_${name}`.replaceAll('\0', ''),
    isUnique,
    definition: `${quote(table.schema)}.${quote(table.table)}${isGin ? ' USING gin' : ''} (${terms.join(', ')})${nulls}${where}`,
    notices: [
      ...(isUnique && areNullsIn && !hasNullsNotDistinct
        ? [`PostgreSQL ${serverVersion} lets any number of rows be without a value, MongoDB only one`]
        : []),
      ...(expireAfterSeconds === null ? [] : [describeExpiry(key, expireAfterSeconds)]),
    ],
  };
}

/** In MongoDB, a document has an index entry for each element of an array, like the rows of a child table. */
function requireForRows({ isUnique, partialFilter }: IndexSpec, { table }: Plan): void {
  const where = `its values are in the child table ${JSON.stringify(table)}`;
  if (isUnique) {
    throw new Untranslatable(`${where}, where one document may have the same value more than once`);
  }
  if (partialFilter !== null) throw new Untranslatable(`${where}, and its filter is about documents`);
}

/** @param whole the path from the document */
function requireChildColumn({ table, path, keyLength }: TableOfPath, whole: string): PlanColumn {
  const columns = table.columns.slice(keyLength);
  const column =
    path === ''
      ? columns.find(({ isElement }) => isElement === true)
      : findColumn({ ...table, columns }, path);
  if (column !== undefined && column.type !== 'json') return column;
  throw new Untranslatable(
    `the child table ${JSON.stringify(table.table)} has no column for the values of ${JSON.stringify(whole)}`,
  );
}

/** Only a GIN index has an entry for each element of an array. */
function requireForArray({ isUnique }: IndexSpec, columns: readonly PlanColumn[], table: Plan): void {
  const arrays = columns.filter(({ isArray }) => isArray === true).map(({ column }) => column);
  const names = arrays.map((column) => JSON.stringify(column)).join(', ');
  if (isUnique) {
    throw new Untranslatable(`${names} is an array, and Postgres has no unique index of elements`);
  }
  if (columns.length === 1) return;
  throw new Untranslatable(
    `${names} is an array: create ${describeGin(arrays[0] ?? '', table)}, and an index on the other columns`,
  );
}

function requireKind(path: string, kind: IndexKey['kind'], plan: Plan): void {
  if (path === '$**' || path.endsWith('.$**')) {
    const column = findJsonColumn(plan, path);
    const nearest = column === null ? '' : `; ${describeGin(column, plan)} on a jsonb column is the nearest`;
    throw new Untranslatable(`a wildcard index${nearest}`);
  }
  if (typeof kind === 'number' || kind === 'hashed') return;
  throw new Untranslatable(
    otherKinds.get(kind) ?? `"${kind}" is a kind of index that mongo2pg does not know`,
  );
}

const geospatial = 'a geospatial index; the equivalent in PostGIS is a GiST index on a geometry column';
const otherKinds = new Map([
  ['text', 'a text index; Postgres has full text search instead: a GIN index on to_tsvector(…)'],
  ['2d', geospatial],
  ['2dsphere', geospatial],
  ['2dsphere_bucket', geospatial],
  ['geoHaystack', geospatial],
  ['columnstore', 'a column store index, which has no equivalent in Postgres'],
]);

function requireColumn(path: string, plan: Plan): PlanColumn {
  const column = findColumn(plan, path);
  // An _id is never an array, so an index on its jsonb is equivalent.
  if (column !== undefined && (column.type !== 'json' || path === '_id')) return column;
  const name = JSON.stringify(path);
  const [field = ''] = path.split('.');
  if (plan.dropped?.includes(field) === true) throw new Untranslatable(`the plan leaves ${name} out`);
  const json = findJsonColumn(plan, path);
  if (json === null) throw new Untranslatable(`there is no column for the values of ${name}`);
  throw new Untranslatable(
    `the values of ${name} are in the jsonb column ${JSON.stringify(json)}: give them a column of their own in the plan, ` +
      `or, for arrays, create ${describeGin(json, plan)}`,
  );
}

function describeGin(column: string, plan: Plan): string {
  return `a GIN index (CREATE INDEX ON ${quote(plan.schema)}.${quote(plan.table)} USING gin (${quote(column)}))`;
}

/** A sparse index contains the documents with at least one of its fields. */
function translateCondition(spec: IndexSpec, columns: readonly PlanColumn[], plan: Plan): Condition | null {
  if (spec.doubledName !== undefined) {
    throw new Untranslatable(`its filter has the name ${JSON.stringify(spec.doubledName)} twice`);
  }
  if (spec.partialFilter !== null) return translateFilter(spec.partialFilter, plan);
  if (!spec.isSparse || !columns.every(isNullable)) return null;
  return { sql: columns.map(isNotNull).join(' OR '), columns };
}

/** Only text depends on a collation. */
function requireCollation({ locale }: IndexSpec, columns: readonly PlanColumn[]): void {
  if (locale === null || !columns.some(({ type }) => ['string', 'symbol', 'json'].includes(type))) return;
  throw new Untranslatable(
    `it compares text by the rules of "${locale}"; create it by hand, with a collation of Postgres that does`,
  );
}

function isNullable(column: PlanColumn): boolean {
  return column.isRequired !== true && !isIdColumn(column);
}

function describeExpiry([first]: readonly IndexKey[], seconds: number): string {
  const field = JSON.stringify(first?.path ?? '');
  return `Postgres does not delete rows by itself, as MongoDB does ${seconds} s after ${field}`;
}
