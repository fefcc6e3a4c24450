/** Reassembles documents from the rows of a plan's tables: nothing may be missing. Shares no code with the encoder. */

import type { EncodedBatch } from '../../src/transcode/row.ts';
import { isIdColumn, type ChildTable, type Plan, type PlanColumn } from '../../src/transcode/plan.ts';
import { decodeRows, type Field } from './copy-decoder.ts';

/** As JSON, which the extra column has; without fields that are null, as these are the same as missing ones in a column. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
interface JsonObject {
  [name: string]: Json | undefined;
}

export type Row = Record<string, Field>;

export function reassemble(plan: Plan, { copy, children }: Pick<EncodedBatch, 'copy' | 'children'>): Json[] {
  const streams = [copy, ...children.map((child) => child.copy)];
  return reassembleRows(
    listTables(plan).map((table) => ({
      ...table,
      rows: decodeRows(streams.shift() ?? Buffer.of(), table.plan),
    })),
  );
}

export interface Table {
  readonly plan: Plan;
  /** How many columns its key has: the first ones, but for the table of the documents. */
  readonly keyLength: number;
}

/** A child table comes before its own child tables, and after those of the child before it. */
export function listTables(plan: Plan, keyLength = 1): Table[] {
  const inner = plan.children ?? [];
  return [{ plan, keyLength }, ...inner.flatMap((child) => listTables(child.plan, keyLength + 1))];
}

export interface TableRows extends Table {
  /** By column; jsonb as its text. Those of child tables in the order of their key. */
  readonly rows: readonly Row[];
}

/**
 * @param tables in the order of `listTables`
 * @throws where a place of an array is missing or there twice, or a row has no row around it
 */
export function reassembleRows([own, ...inner]: readonly TableRows[]): Json[] {
  if (own === undefined) throw new RangeError('there is no table');
  const read = (part: Plan): Tables => ({
    plan: part,
    children: (part.children ?? []).map((child) => {
      const { rows = [], keyLength = 0 } = inner.shift() ?? {};
      return { child, rowsOf: groupRows(child.plan, rows, keyLength - 1), tables: read(child.plan) };
    }),
  });
  const tables = read(own.plan);
  const documents = own.rows.map((row) => withoutNulls(rebuild(tables, row, 0)));
  requireNoneLeft(tables);
  return documents;
}

/** By the key of the row around them. */
function groupRows({ columns }: Plan, rows: readonly Row[], length: number): Map<string, Row[]> {
  const names = columns.slice(0, length).map(({ column }) => column);
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = nameOf(names.map((name) => row[name]));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

function requireNoneLeft({ children }: Tables): void {
  for (const { child, rowsOf, tables } of children) {
    const [key] = rowsOf.keys();
    if (key !== undefined) throw new Error(`${child.plan.table} has rows of ${key}, which has no row`);
    requireNoneLeft(tables);
  }
}

function nameOf(key: readonly (Field | undefined)[]): string {
  return key.map(String).join(' ');
}

export function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) =>
      inner === null || inner === undefined ? [] : [[name, withoutNulls(inner)]],
    ),
  );
}

interface Tables {
  readonly plan: Plan;
  readonly children: readonly {
    readonly child: ChildTable;
    /** Rows that no parent row has claimed are surplus. */
    readonly rowsOf: Map<string, Row[]>;
    readonly tables: Tables;
  }[];
}

/** @param keyLength how many columns come before the fields; none in the table of the documents */
function rebuild({ plan, children }: Tables, row: Row, keyLength: number): Json {
  const columns = plan.columns.slice(keyLength);
  const element = columns.find(({ isElement }) => isElement === true);
  const bare = element === undefined ? null : readValue(element, row[element.column] ?? null);
  if (bare !== null) return bare;
  const extraText = row[plan.extraColumn ?? ''] ?? null;
  const extra = typeof extraText === 'string' ? (JSON.parse(extraText) as Json) : {};
  if (typeof extra !== 'object' || extra === null || Array.isArray(extra)) return extra;
  for (const column of columns) {
    const value = column.isElement === true ? null : readValue(column, row[column.column] ?? null);
    if (value !== null) put(extra, [column.field, ...(column.path ?? [])], value);
  }
  for (const { child, rowsOf, tables } of children) {
    const innerKey = keyLength === 0 ? 2 : keyLength + 1;
    const keyColumns = keyLength === 0 ? plan.columns.filter(isIdColumn) : plan.columns.slice(0, keyLength);
    const key = nameOf(keyColumns.map(({ column }) => row[column]));
    const own = rowsOf.get(key) ?? [];
    rowsOf.delete(key);
    own.forEach((inner, place) => {
      if (inner[child.plan.columns[innerKey - 1]?.column ?? ''] !== place) {
        throw new Error(`place ${place} of ${child.plan.table} is missing in ${key}`);
      }
    });
    const elements = own.map((inner) => rebuild(tables, inner, innerKey));
    if (elements.length > 0) put(extra, [child.field, ...(child.path ?? [])], elements);
  }
  return extra;
}

function readValue({ type }: PlanColumn, value: Field): Json {
  if (type === 'json' && typeof value === 'string') return JSON.parse(value) as Json;
  return value as Json;
}

function put(into: JsonObject, [name = '', ...rest]: readonly string[], value: Json): void {
  if (rest.length === 0) {
    if (into[name] !== undefined) throw new Error(`${name} is there twice`);
    into[name] = value;
    return;
  }
  const inner: Json = into[name] ?? {};
  if (typeof inner !== 'object' || Array.isArray(inner)) {
    throw new Error(`${name} is no document`);
  }
  into[name] = inner;
  put(inner, rest, value);
}
