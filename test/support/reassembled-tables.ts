/** Compares documents that are reassembled from the tables of a plan with child tables with those of the collection. */

import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { BSON, type Collection, type Document } from 'mongodb';
import pg from 'pg';
import type { Plan } from '../../src/transcode/plan.ts';
import type { Field } from './copy-decoder.ts';
import { listTables, reassembleRows, withoutNulls, type Json, type Row, type Table } from './reassemble.ts';

const maxDifferencesShown = 3;
const shownCharacters = 1_500;

/** The transform of a document: another, or none. Throws for one that becomes a dead letter. */
export type Expect = (document: Document) => Document | null;

/**
 * Reads all of both sides: each document has a row with the rows of all of its arrays, or is a dead letter without rows, and nothing else
 * is there. Of integers, numbers, text, boolean and dates; null and missing are the same.
 */
export async function assertReassembled(
  collection: Collection,
  client: pg.Client,
  expect: Expect = (document) => document,
): Promise<void> {
  const { rows: runs } = await client.query<{ id: string; plan: Plan }>(
    `SELECT run_id AS id, settings -> 'plan' AS plan FROM mongo2pg.runs
      WHERE settings -> 'plan' ->> 'collection' = $1 ORDER BY run_id DESC LIMIT 1`,
    [collection.namespace],
  );
  const [run] = runs;
  assert.ok(run !== undefined, `no run has copied ${collection.namespace}`);
  const { documents, letters } = await readExpected(collection, expect);
  const found = new Map<string, Json>();
  for (const document of await readDocuments(client, run.plan)) found.set(idOf(document), document);
  const differences = [...compare(documents, found)];
  for (const letter of await readLetters(client, run.id)) {
    if (!letters.delete(letter)) differences.push(`_id ${letter}: a dead letter too many`);
  }
  for (const letter of letters) differences.push(`_id ${letter}: no dead letter`);
  const shown = differences
    .slice(0, maxDifferencesShown)
    .map((text) => `\n  ${text.slice(0, shownCharacters)}`);
  if (differences.length > 0) {
    assert.fail(
      `${collection.namespace} differs from its tables in ${differences.length} documents:${shown.join('')}`,
    );
  }
}

/** The documents that cannot become a row. */
export async function listLetters(collection: Collection, expect: Expect): Promise<unknown[]> {
  const all = await collection.find().toArray();
  return all.filter((document) => becomesLetter(document, expect)).map(({ _id }) => _id);
}

async function readExpected(collection: Collection, expect: Expect) {
  const documents = new Map<string, Json>();
  const letters = new Set<string>();
  for await (const document of collection.find()) {
    if (becomesLetter(document, expect)) {
      letters.add(idOf(document));
      continue;
    }
    const expected = expect(document);
    if (expected !== null) documents.set(idOf(document), withoutNulls(toJson(expected)));
  }
  return { documents, letters };
}

/** Its text has U+0000, or the transform drops it. */
function becomesLetter(document: Document, expect: Expect): boolean {
  try {
    const expected = expect(document);
    return expected !== null && JSON.stringify(toJson(expected)).includes('\\u0000');
  } catch {
    return true;
  }
}

function* compare(expected: ReadonlyMap<string, Json>, found: ReadonlyMap<string, Json>): Generator<string> {
  for (const [id, document] of expected) {
    const actual = found.get(id);
    if (actual === undefined) {
      yield `_id ${id}: no row`;
    } else if (!isDeepStrictEqual(actual, document)) {
      yield `_id ${id}: ${JSON.stringify(actual)} and not ${JSON.stringify(document)}`;
    }
  }
  for (const id of found.keys()) if (!expected.has(id)) yield `_id ${id}: a row of no document`;
}

/** In one snapshot. */
async function readDocuments(client: pg.Client, plan: Plan): Promise<Json[]> {
  const tables = [];
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  for (const table of listTables(plan)) tables.push({ ...table, rows: await readRows(client, table) });
  await client.query('COMMIT');
  const documents = reassembleRows(tables);
  const ids = new Set(documents.map(idOf));
  assert.equal(ids.size, documents.length, `an _id is twice in ${plan.table}`);
  return documents;
}

async function readRows(client: pg.Client, { plan, keyLength }: Table): Promise<Row[]> {
  const { schema, table, columns, extraColumn } = plan;
  const names = columns.map(({ column, type }) => ({ column, isJson: type === 'json' }));
  if (extraColumn !== null) names.push({ column: extraColumn, isJson: true });
  const list = names.map(({ column, isJson }) => {
    const name = pg.escapeIdentifier(column);
    return isJson ? `${name}::text AS ${name}` : name;
  });
  const key = Array.from({ length: keyLength }, (_, index) => index + 1);
  const { rows } = await client.query<Record<string, unknown>>(
    `SELECT ${list.join(', ')} FROM ${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}
      ORDER BY ${key.join(', ')}`,
  );
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toJson(value) as Field])),
  );
}

async function readLetters(client: pg.Client, runId: string): Promise<string[]> {
  const { rows } = await client.query<{ document: Buffer }>(
    'SELECT document FROM mongo2pg.dead_letters WHERE run_id = $1',
    [runId],
  );
  return rows.map(({ document }) => idOf(BSON.deserialize(document)));
}

function toJson(value: unknown): Json {
  return BSON.EJSON.serialize({ value }, { relaxed: true }).value as Json;
}

function idOf(document: unknown): string {
  return JSON.stringify(toJson((document as Document)._id));
}
