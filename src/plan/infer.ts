/** Infers the columns of a plan from a sample of documents, by their bytes. */

import { ElementCursor } from '../transcode/bson.ts';
import { type BsonTypeName, nameOfType } from '../transcode/bson-types.ts';
import { nameColumns, uniqueName } from './names.ts';
import type { ColumnType, Plan, PlanColumn } from './plan.ts';

/** Postgres has 1,600 columns in a table; one is the extra column. */
const maxColumns = 1599;

export interface Inference extends Pick<Plan, 'columns' | 'extraColumn'> {
  /** What a person should know about these columns. */
  readonly notices: readonly string[];
}

/** How often each type was met in one field. */
type TypeCounts = Map<BsonTypeName, number>;

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
  const seen = new Map<string, TypeCounts>([['_id', new Map()]]);
  for (const document of sample) countTypes(document, seen);

  const fields = chooseFields(seen);
  const names = nameColumns(fields.map(([field]) => field));
  const extraColumn = uniqueName('_extra', new Set(names));
  const columns = fields.map(([field, types], index): PlanColumn => {
    return { field, column: names[index] ?? field, type: widenAll(types) };
  });

  const notices = fields.flatMap(([field, types], index) => {
    const name = JSON.stringify(field);
    const met = [...types.keys()].filter((type) => type !== 'null');
    return [
      ...(names[index] === field ? [] : [`the field ${name} goes to the column "${names[index] ?? ''}"`]),
      ...(met.length > 1 && widenAll(types) === 'json'
        ? [`the field ${name} has several types (${met.join(', ')}) and becomes jsonb`]
        : []),
    ];
  });
  const left = seen.size - fields.length;
  if (left > 0) notices.push(`${left} rare fields have no column of their own and go to ${extraColumn}`);
  return { columns, extraColumn, notices };
}

/** `_id` and the most frequent fields, in the order in which they were met; among equals those met first. */
function chooseFields(seen: ReadonlyMap<string, TypeCounts>): [string, TypeCounts][] {
  const others = [...seen].filter(([field]) => field !== '_id');
  const chosen = others.sort(([, a], [, b]) => total(b) - total(a)).slice(0, maxColumns - 1);
  const kept = new Set(['_id', ...chosen.map(([field]) => field)]);
  return [...seen].filter(([field]) => kept.has(field));
}

function countTypes(document: Uint8Array, seen: Map<string, TypeCounts>): void {
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
      if (types === undefined) seen.set(field, (types = new Map<BsonTypeName, number>()));
      const type = nameOfType(cursor.type);
      types.set(type, (types.get(type) ?? 0) + 1);
    }
  } catch {
    return;
  }
}

function total(types: TypeCounts): number {
  return [...types.values()].reduce((sum, count) => sum + count, 0);
}

/** Null widens nothing; a field that is always null may be anything. */
function widenAll(types: TypeCounts): ColumnType {
  const columnTypes = [...types.keys()]
    .filter((type) => type !== 'null')
    .map((type) => typeOfBson[type] ?? 'json');
  return columnTypes.reduce<ColumnType | undefined>(widen, undefined) ?? 'json';
}

function widen(a: ColumnType | undefined, b: ColumnType): ColumnType {
  if (a === undefined || a === b) return b;
  return widened[[a, b].sort().join()] ?? 'json';
}
