/** Translates a collection's indexes into those of its table, or says of each why Postgres has not the like. */

import pg from 'pg';
import type { IndexKey, IndexSpec } from '../../source/index-spec.ts';
import { findColumn, findJsonColumn } from '../find-column.ts';
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
  /** MongoDB's name of it. */
  readonly index: string;
  /** In Postgres, where nothing else has the name. */
  readonly name: string;
  readonly isUnique: boolean;
  /** What it is on: table, columns, conditions; the end of its statement. */
  readonly definition: string;
  /** How it differs from what it was in MongoDB. */
  readonly notices: readonly string[];
}

export interface LeftIndex {
  /** MongoDB's name of it. */
  readonly index: string;
  /** Completes "not carried over: …". */
  readonly reason: string;
}

/** @param serverVersion the major version of Postgres */
export function planIndexes(specs: readonly IndexSpec[], plan: Plan, serverVersion: number): IndexPlan {
  const planned = new Map<string, PlannedIndex>();
  const left: LeftIndex[] = [];
  const names = new Set<string>();
  for (const spec of specs) {
    if (isIdIndex(spec)) continue;
    try {
      const index = translateIndex(spec, plan, serverVersion);
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

/** @param name another than the planned one, where that is taken */
export function createIndexStatement({ isUnique, definition }: PlannedIndex, name: string): string {
  return `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX IF NOT EXISTS ${quote(name)} ON ${definition}`;
}

/** The primary key has taken its place. */
function isIdIndex({ key }: IndexSpec): boolean {
  return key.length === 1 && key[0]?.path === '_id' && key[0].kind === 1;
}

function translateIndex(spec: IndexSpec, plan: Plan, serverVersion: number): PlannedIndex {
  const { name, key, isUnique, expireAfterSeconds } = spec;
  for (const { path, kind } of key) requireKind(path, kind, plan);
  const columns = key.map(({ path }) => requireColumn(path, plan));
  if (columns.length === 1 && columns.every(isIdColumn)) {
    throw new Untranslatable('the primary key serves it');
  }
  const condition = translateCondition(spec, columns, plan);
  requireCollation(spec, [...columns, ...(condition?.columns ?? [])]);
  const areNullsIn = columns.some(isNullable) && !(spec.isSparse && columns.length === 1);
  const hasNullsNotDistinct = serverVersion >= nullsNotDistinctSince;

  const terms = columns.map(
    ({ column }, index) => `${quote(column)}${key[index]?.kind === -1 ? ' DESC' : ''}`,
  );
  const nulls = isUnique && areNullsIn && hasNullsNotDistinct ? ' NULLS NOT DISTINCT' : '';
  const where = condition === null ? '' : ` WHERE ${condition.sql}`;
  return {
    index: name,
    // U+0000 ends a statement.
    name: `${plan.table}_${name}`.replaceAll('\0', ''),
    isUnique,
    definition: `${quote(plan.schema)}.${quote(plan.table)} (${terms.join(', ')})${nulls}${where}`,
    notices: [
      ...(isUnique && areNullsIn && !hasNullsNotDistinct
        ? [`PostgreSQL ${serverVersion} lets any number of rows be without a value, MongoDB only one`]
        : []),
      ...(expireAfterSeconds === null ? [] : [describeExpiry(key, expireAfterSeconds)]),
    ],
  };
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
  // The values of _id are never arrays, so that an index on all of its jsonb means the same.
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

/** A sparse index has the documents with at least one of its fields. */
function translateCondition(spec: IndexSpec, columns: readonly PlanColumn[], plan: Plan): Condition | null {
  if (spec.doubledName !== undefined) {
    throw new Untranslatable(`its filter has the name ${JSON.stringify(spec.doubledName)} twice`);
  }
  if (spec.partialFilter !== null) return translateFilter(spec.partialFilter, plan);
  if (!spec.isSparse || !columns.every(isNullable)) return null;
  return { sql: columns.map(isNotNull).join(' OR '), columns };
}

/** Other columns than those of text are compared in one way only. */
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
