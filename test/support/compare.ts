/** The final check of every fault test: each document of the collection is exactly once in the table, value by value. */

import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
// The classes of the driver: those of `bson` differ.
import { BSON, Long, ObjectId, type Collection, type Document } from 'mongodb';
import pg from 'pg';

/** More differences would hide the first. */
const maxDifferencesShown = 5;
const extraColumn = '_extra';
const { INT8, JSONB } = pg.types.builtins;

export interface CompareOptions {
  readonly schema?: string;
  /** The `_id`s of the documents that are to be dead letters, once each and whole, and no rows (default: none). */
  readonly deadLetters?: readonly unknown[];
}

/**
 * Reads all of both sides, without code of the tool, and throws an AssertionError that shows the first
 * differences. For columns named after their fields; null and absent are the same, as they are in a column.
 */
export async function assertEqualTable(
  collection: Collection,
  client: pg.Client,
  table: string,
  options: CompareOptions = {},
): Promise<void> {
  const documents = new Map<string, Document>();
  for await (const document of collection.find()) documents.set(keyOf(document._id), document);
  const expectedLetters = new Set((options.deadLetters ?? []).map(keyOf));
  const differences = [
    ...compareRows(documents, expectedLetters, await readTable(client, options.schema ?? 'public', table)),
    ...compareLetters(documents, expectedLetters, await readLetters(client, collection.namespace)),
  ];
  if (differences.length === 0) return;
  const shown = differences.slice(0, maxDifferencesShown).map((difference) => `\n  ${difference}`);
  const rest = differences.length - shown.length;
  assert.fail(
    `${collection.namespace} and ${table} differ in ${differences.length} places:${shown.join('')}` +
      (rest > 0 ? `\n  … and ${rest} more` : ''),
  );
}

interface Table {
  readonly columns: readonly { readonly name: string; readonly type: number }[];
  readonly rows: readonly (readonly unknown[])[];
}

async function readTable(client: pg.Client, schema: string, table: string): Promise<Table> {
  const name = `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(table)}`;
  const { fields, rows } = await client.query<unknown[]>({ text: `SELECT * FROM ${name}`, rowMode: 'array' });
  return { columns: fields.map((field) => ({ name: field.name, type: field.dataTypeID })), rows };
}

async function readLetters(client: pg.Client, namespace: string): Promise<Document[]> {
  const found = await client.query<{ ledger: string | null }>(
    "SELECT to_regclass('mongo2pg.dead_letters') AS ledger",
  );
  if (found.rows[0]?.ledger == null) return [];
  const { rows } = await client.query<{ document: Buffer }>(
    'SELECT document FROM mongo2pg.dead_letters WHERE collection = $1',
    [namespace],
  );
  return rows.map(({ document }) => BSON.deserialize(document));
}

function* compareRows(
  documents: ReadonlyMap<string, Document>,
  letters: ReadonlySet<string>,
  { columns, rows }: Table,
): Generator<string> {
  const seen = new Set<string>();
  const idIndex = columns.findIndex(({ name }) => name === '_id');
  const idByText = new Map(
    Array.from(documents, ([key, { _id }]) => [
      JSON.stringify(expectedValue('_id', _id, columns[idIndex]?.type)),
      key,
    ]),
  );
  for (const row of rows) {
    const text = JSON.stringify(actualValue(row[idIndex], columns[idIndex]?.type));
    const key = idByText.get(text);
    const document = key === undefined ? undefined : documents.get(key);
    if (key === undefined || document === undefined) {
      yield `extra: a row with _id ${text} of no document`;
      continue;
    }
    if (letters.has(key)) yield `extra: a row with _id ${text}, which is to be a dead letter`;
    if (seen.has(key)) yield `doubled: a second row with _id ${text}`;
    seen.add(key);
    for (const difference of compareRow(document, row, columns)) yield `_id ${text}: ${difference}`;
  }
  for (const key of documents.keys()) {
    if (!seen.has(key) && !letters.has(key)) yield `missing: no row with _id ${key}`;
  }
}

function* compareRow(
  document: Document,
  row: readonly unknown[],
  columns: Table['columns'],
): Generator<string> {
  const inColumns = new Map<string, unknown>();
  const expected = new Map<string, unknown>();
  let extra: Record<string, unknown> = {};
  for (const [index, { name, type }] of columns.entries()) {
    if (name === extraColumn) {
      extra = (row[index] ?? {}) as Record<string, unknown>;
    } else {
      inColumns.set(name, actualValue(row[index], type));
      expected.set(name, expectedValue(name, document[name] ?? null, type));
    }
  }
  const names = new Set([...inColumns.keys(), ...Object.keys(extra), ...Object.keys(document)]);
  for (const name of names) {
    const isExtra = name in extra;
    const actual = isExtra ? extra[name] : inColumns.get(name);
    const wanted = isExtra ? toJson(document[name]) : (expected.get(name) ?? toJson(document[name] ?? null));
    if (isExtra && (inColumns.get(name) ?? null) !== null) {
      yield `${name} has a column and stands in _extra too`;
    } else if (!isDeepStrictEqual(actual, wanted)) {
      yield `${name} is ${JSON.stringify(actual)} and not ${JSON.stringify(wanted)}`;
    }
  }
}

function* compareLetters(
  documents: ReadonlyMap<string, Document>,
  expected: ReadonlySet<string>,
  letters: readonly Document[],
): Generator<string> {
  const seen = new Set<string>();
  for (const letter of letters) {
    const key = keyOf(letter._id);
    if (!expected.has(key)) {
      yield `extra: a dead letter with _id ${key}`;
    } else if (seen.has(key)) {
      yield `doubled: a second dead letter with _id ${key}`;
    } else if (!isDeepStrictEqual(toJson(letter, false), toJson(documents.get(key), false))) {
      yield `the dead letter with _id ${key} is not the document`;
    }
    seen.add(key);
  }
  for (const key of expected) {
    if (!seen.has(key)) yield `missing: no dead letter with _id ${key}`;
  }
}

/** A document's value as expected in a column of the type. */
function expectedValue(field: string, value: unknown, type: number | undefined): unknown {
  if (type === JSONB) return toJson(value, field !== '_id');
  // pg returns a bigint as digits, since a number could not hold all of them.
  if (type === INT8 && (value instanceof Long || typeof value === 'number')) return value.toString();
  return value instanceof ObjectId ? value.toHexString() : toJson(value);
}

function actualValue(value: unknown, type: number | undefined): unknown {
  return type === JSONB || type === INT8 ? value : toJson(value);
}

function toJson(value: unknown, relaxed = true): unknown {
  return value === undefined ? undefined : (BSON.EJSON.serialize({ value }, { relaxed }).value as unknown);
}

function keyOf(id: unknown): string {
  return JSON.stringify(toJson(id, false));
}
