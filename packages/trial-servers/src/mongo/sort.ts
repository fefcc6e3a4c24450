/** Sort specifications: `_id` in either direction comes from the index, anything else is sorted in memory. */
import { BsonType, findField, readFields } from '../../../../src/bson/match/bson-view.ts';
import type { RawField, RawValue } from '../../../../src/bson/match/bson-view.ts';
import type { DocumentRef } from './collection.ts';
import { compareRaw, rankOf } from '../../../../src/bson/match/compare.ts';
import { CommandError, ErrorCode, notImplemented } from './errors.ts';
import { readAsDouble } from '../../../../src/bson/match/numbers.ts';

export interface Sort {
  /** Of the scan of the index. */
  readonly direction: 1 | -1;
  /** Whether the index has the order wanted, in that direction. */
  readonly isIndexOrder: boolean;
  /** Sorts documents that come in any order. */
  readonly sortDocuments: (documents: readonly DocumentRef[]) => DocumentRef[];
}

export const idOrder: Sort = {
  direction: 1,
  isIndexOrder: true,
  sortDocuments: (documents) => [...documents],
};

interface SortField {
  readonly name: Buffer;
  readonly direction: 1 | -1;
}

/** Parses `{a: 1, b: -1}` of top-level fields. */
export function parseSort(spec: RawField): Sort {
  const fields = Array.from(readFields(spec.bytes, spec.start), parseField);
  const [first] = fields;
  if (first === undefined) {
    return idOrder;
  }
  // `_id` is unique: what follows it in the specification decides nothing.
  const isIndexOrder = ['_id', '$natural'].includes(first.name.toString());
  const direction = isIndexOrder ? first.direction : 1;
  return { direction, isIndexOrder, sortDocuments: (documents) => sortBy(documents, fields) };
}

function parseField(field: RawField): SortField {
  const isNumber = rankOf(field.type) === rankOf(BsonType.int);
  const direction = isNumber ? readAsDouble(field.type, field.bytes, field.start) : Number.NaN;
  if (direction !== 1 && direction !== -1) {
    throw field.type === BsonType.object
      ? notImplemented('a sort by an expression')
      : new CommandError(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
  }
  if (field.name === '') {
    throw new CommandError(ErrorCode.badValue, 'FieldPath cannot be constructed with empty string');
  }
  if (field.name.includes('.')) {
    throw notImplemented('a sort by anything but top-level fields');
  }
  return { name: Buffer.from(field.name), direction };
}

function sortBy(documents: readonly DocumentRef[], fields: readonly SortField[]): DocumentRef[] {
  const keyed = documents.map((document) => ({
    document,
    keys: fields.map(({ name, direction }) => findKey(document, name, direction)),
  }));
  keyed.sort((a, b) => {
    for (const [index, { direction }] of fields.entries()) {
      const difference = compareRaw(a.keys[index] ?? nullValue, b.keys[index] ?? nullValue);
      if (difference !== 0) {
        return difference * direction;
      }
    }
    return 0;
  });
  return keyed.map(({ document }) => document);
}

/** A missing field sorts as null; an array by its least element, or, descending, by its greatest. */
function findKey({ bytes, start }: DocumentRef, name: Buffer, direction: 1 | -1): RawValue {
  const value = findField(bytes, start, name) ?? nullValue;
  if (value.type !== BsonType.array) {
    return value;
  }
  let key: RawValue | undefined;
  for (const element of readFields(value.bytes, value.start)) {
    if (key === undefined || compareRaw(element, key) * direction < 0) {
      key = element;
    }
  }
  return key ?? undefinedValue;
}

const nullValue: RawValue = { type: BsonType.null, bytes: Buffer.alloc(0), start: 0, end: 0 };
/** What an empty array sorts as: before null. */
const undefinedValue: RawValue = { ...nullValue, type: BsonType.undefined };
