/** Infers the columns of a plan from a sample of documents, by their bytes. */

import { ElementCursor, type BsonTypeName, nameOfType } from '../transcode/bson.ts';
import { nameColumns, uniqueName } from './names.ts';
import type { ColumnType, Plan, PlanColumn } from './plan.ts';

/** Postgres has 1,600 columns in a table; one is the extra column. */
const maxColumns = 1599;

export interface Inference extends Pick<Plan, 'columns' | 'extraColumn'> {
  /** What a person should know about these columns. */
  readonly notices: readonly string[];
}

/** BSON types that have a column type of their own; all others go to jsonb. */
const typeOfBson: Partial<Record<BsonTypeName, ColumnType>> = {
  objectId: 'objectId',
  string: 'string',
  int: 'int32',
  long: 'int64',
  double: 'double',
  bool: 'boolean',
  date: 'date',
};

/** Two column types met in one field → one that takes both without loss; any other pair goes to jsonb. */
const widened: Partial<Record<string, ColumnType>> = {
  'int32,int64': 'int64',
  'double,int32': 'double',
};

/** @param sample raw documents; a corrupt one is left out, and becomes a dead letter when it is read */
export function inferColumns(sample: readonly Uint8Array[]): Inference {
  const seen = new Map<string, Map<BsonTypeName, number>>([['_id', new Map()]]);
  for (const document of sample) countTypes(document, seen);

  // The rarest fields stay without a column; among equals, those met first have one.
  const byCount = [...seen].sort(([, a], [, b]) => total(b) - total(a)).map(([field]) => field);
  const kept = new Set(['_id', ...byCount.filter((field) => field !== '_id').slice(0, maxColumns - 1)]);
  const fields = [...seen.keys()].filter((field) => kept.has(field));
  const names = nameColumns(fields);
  const columns = fields.map((field, index): PlanColumn => {
    return { field, column: names[index] ?? field, type: widenAll(seen.get(field) ?? new Map()) };
  });

  const notices: string[] = [];
  const extraColumn = uniqueName('_extra', new Set(names));
  if (fields.length < seen.size) {
    notices.push(
      `${seen.size - fields.length} rare fields have no column of their own and go to ${extraColumn}`,
    );
  }
  for (const { field, column } of columns) {
    if (field !== column) notices.push(`the field ${JSON.stringify(field)} goes to the column "${column}"`);
    const types = [...(seen.get(field)?.keys() ?? [])].filter((type) => type !== 'null');
    const isMixed = widenAll(seen.get(field) ?? new Map()) === 'json' && types.length > 1;
    if (isMixed)
      notices.push(`the field ${JSON.stringify(field)} has several types (${types.join(', ')}): jsonb`);
  }
  return { columns, extraColumn, notices };
}

function countTypes(document: Uint8Array, seen: Map<string, Map<BsonTypeName, number>>): void {
  try {
    const bytes = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
    const cursor = new ElementCursor();
    cursor.open(
      new DataView(document.buffer, document.byteOffset, document.byteLength),
      0,
      document.byteLength,
    );
    while (cursor.next(null)) {
      const field = bytes.toString('utf8', cursor.nameStart, cursor.nameEnd);
      // A name that is not UTF-8 cannot be the name of a column.
      if (field.includes('\ufffd')) continue;
      let types = seen.get(field);
      if (types === undefined) seen.set(field, (types = new Map()));
      const type = nameOfType(cursor.type);
      types.set(type, (types.get(type) ?? 0) + 1);
    }
  } catch {
    return;
  }
}

function total(types: ReadonlyMap<BsonTypeName, number>): number {
  return [...types.values()].reduce((sum, count) => sum + count, 0);
}

/** Null widens nothing; a field that is always null may be anything. */
function widenAll(types: ReadonlyMap<BsonTypeName, number>): ColumnType {
  const columnTypes = [...types.keys()]
    .filter((type) => type !== 'null')
    .map((type) => typeOfBson[type] ?? 'json');
  return columnTypes.reduce<ColumnType | undefined>(widen, undefined) ?? 'json';
}

function widen(a: ColumnType | undefined, b: ColumnType): ColumnType {
  if (a === undefined || a === b) return b;
  return widened[[a, b].sort().join()] ?? 'json';
}
