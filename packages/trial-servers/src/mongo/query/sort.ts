/** Sort specifications: `_id` in either direction comes from the index, anything else is sorted in memory. */
import { findValue, readFields } from '../../../../../src/bson/raw-value.ts';
import { guessName, type NameGuess } from '../../../../../src/bson/cursor.ts';
import type { RawField, RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes, rankOf } from '../../../../../src/bson/types.ts';
import type { DocumentRef } from '../storage/collection.ts';
import { byBytes, compareRaw, type TextOrder } from '../../../../../src/bson/match/compare.ts';
import { CommandError, ErrorCode, notImplemented } from '../errors.ts';
import { readAsDouble } from '../../../../../src/bson/match/numbers.ts';

export interface Sort {
  /** Of the scan of the index. */
  readonly direction: 1 | -1;
  /** Whether the index has the requested order, in that direction. */
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
  readonly name: string;
  readonly guess: NameGuess;
  readonly direction: 1 | -1;
}

/**
 * Parses `{a: 1, b: -1}` of top-level fields.
 * @param order of texts, as requested and as in the index
 */
export function parseSort(spec: RawField, order: TextOrder = byBytes, indexOrder: TextOrder = order): Sort {
  const fields = Array.from(readFields(spec.bytes, spec.start), parseField);
  const [first] = fields;
  if (first === undefined) {
    return idOrder;
  }
  // `_id` is unique: what follows it in the specification decides nothing.
  const isIndexOrder = first.name === '$natural' || (first.name === '_id' && order === indexOrder);
  const direction = isIndexOrder ? first.direction : 1;
  return { direction, isIndexOrder, sortDocuments: (documents) => sortBy(documents, fields, order) };
}

function parseField(field: RawField): SortField {
  const isNumber = rankOf(field.type) === rankOf(bsonTypes.int);
  const direction = isNumber ? readAsDouble(field.type, field.bytes, field.start) : Number.NaN;
  if (direction !== 1 && direction !== -1) {
    throw field.type === bsonTypes.object
      ? notImplemented('a sort by an expression')
      : new CommandError(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
  }
  if (field.name === '') {
    throw new CommandError(ErrorCode.badValue, 'FieldPath cannot be constructed with empty string');
  }
  if (field.name.includes('.')) {
    throw notImplemented('a sort by anything but top-level fields');
  }
  return { name: field.name, guess: guessName(field.name), direction };
}

function sortBy(
  documents: readonly DocumentRef[],
  fields: readonly SortField[],
  order: TextOrder,
): DocumentRef[] {
  const keyed = documents.map((document) => ({
    document,
    keys: fields.map(({ guess, direction }) => findKey(document, guess, direction, order)),
  }));
  keyed.sort((a, b) => {
    for (const [index, { direction }] of fields.entries()) {
      const difference = compareRaw(a.keys[index] ?? nullValue, b.keys[index] ?? nullValue, order);
      if (difference !== 0) {
        return difference * direction;
      }
    }
    return 0;
  });
  return keyed.map(({ document }) => document);
}

/** A missing field sorts as null; an array by its least element, or, descending, by its greatest. */
function findKey(
  { bytes, start }: DocumentRef,
  name: NameGuess,
  direction: 1 | -1,
  order: TextOrder,
): RawValue {
  const value = findValue(bytes, start, name) ?? nullValue;
  if (value.type !== bsonTypes.array) {
    return value;
  }
  let key: RawValue | undefined;
  for (const element of readFields(value.bytes, value.start)) {
    if (key === undefined || compareRaw(element, key, order) * direction < 0) {
      key = element;
    }
  }
  return key ?? undefinedValue;
}

const nullValue: RawValue = { type: bsonTypes.null, bytes: Buffer.alloc(0), start: 0, end: 0 };
/** What an empty array sorts as: before null. */
const undefinedValue: RawValue = { ...nullValue, type: bsonTypes.undefined };
