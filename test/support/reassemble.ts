/** Puts documents together again from the rows of a plan's tables: nothing may be missing. Shares no code with the encoder. */

import type { EncodedBatch } from '../../src/transcode/row.ts';
import type { ChildTable, Plan, PlanColumn } from '../../src/transcode/plan.ts';
import { decodeRows, type Field } from './copy-decoder.ts';

/** As JSON, which the extra column has; without fields that are null, as these are the same as missing ones in a column. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
interface JsonObject {
  [name: string]: Json | undefined;
}

type Row = Record<string, Field>;

export function reassemble(plan: Plan, { copy, children }: Pick<EncodedBatch, 'copy' | 'children'>): Json[] {
  const encoded = [...children];
  const read = (part: Plan): Tables => ({
    plan: part,
    children: (part.children ?? []).map((child) => {
      const rows = decodeRows(encoded.shift()?.copy ?? Buffer.of(), child.plan);
      return { child, rows, tables: read(child.plan) };
    }),
  });
  const tables = read(plan);
  return decodeRows(copy, plan).map((row) => withoutNulls(rebuild(tables, row, 0)));
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
    readonly rows: readonly Row[];
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
  for (const { child, rows, tables } of children) {
    const innerKey = keyLength === 0 ? 2 : keyLength + 1;
    const names = child.plan.columns.slice(0, innerKey).map(({ column }) => column);
    const key =
      keyLength === 0 ? [row._id] : plan.columns.slice(0, keyLength).map(({ column }) => row[column]);
    const own = rows.filter((inner) => key.every((part, index) => part === inner[names[index] ?? '']));
    own.forEach((inner, place) => {
      if (inner[names.at(-1) ?? ''] !== place) {
        throw new Error(`place ${place} of ${child.plan.table} is missing`);
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
