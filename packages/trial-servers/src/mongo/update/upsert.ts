/** The fields that a filter gives a document of an upsert: those that it compares for equality. */
import { readFields } from '../../../../../src/bson/raw-value.ts';
import type { RawValue } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { isOperatorDocument } from '../../../../../src/bson/match/operators.ts';
import { assignAt } from '../expressions.ts';
import { Tree } from './document-tree.ts';

export function readEqualities(filter: RawValue, into = new Tree(false)): Tree {
  for (const field of readFields(filter.bytes, filter.start)) {
    if (field.name === '$and') {
      for (const child of readFields(field.bytes, field.start)) {
        readEqualities(child, into);
      }
    } else if (!field.name.startsWith('$')) {
      const value = readEqual(field);
      if (value !== undefined) {
        const { type, bytes, start, end } = value;
        assignAt(into, field.name.split('.'), { type, bytes, start, end });
      }
    }
  }
  return into;
}

function readEqual(value: RawValue): RawValue | undefined {
  if (value.type === bsonTypes.regex) {
    return undefined;
  }
  if (!isOperatorDocument(value)) {
    return value;
  }
  return [...readFields(value.bytes, value.start)].find(({ name }) => name === '$eq');
}
