/** Projections of top-level fields, cut out of raw documents. */
import { readFields, readInt32 } from '../../../../../src/bson/raw-value.ts';
import type { RawField } from '../../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../../src/bson/types.ts';
import { CommandError, notImplemented } from '../errors.ts';
import { isTruthy } from '../../../../../src/bson/match/operators.ts';

export type Projection = (bytes: Buffer, start: number) => Buffer;

/** Parses `{a: 1, b: 1}` or `{a: 0}`, `_id` apart; undefined when it changes nothing. */
export function parseProjection(spec: RawField): Projection | undefined {
  const names = new Set<string>();
  let isInclusion: boolean | undefined;
  let isIdIncluded: boolean | undefined;
  for (const field of readFields(spec.bytes, spec.start)) {
    if (!(projectionTypes as readonly number[]).includes(field.type)) {
      throw notImplemented('expressions in a projection');
    }
    if (field.name.includes('.') || field.name.startsWith('$')) {
      throw notImplemented('a projection of anything but top-level fields');
    }
    const isIncluded = isTruthy(field);
    if (field.name === '_id') {
      isIdIncluded = isIncluded;
      continue;
    }
    if (isInclusion !== undefined && isInclusion !== isIncluded) {
      throw isIncluded
        ? new CommandError(31253, `Cannot do inclusion on field ${field.name} in exclusion projection`)
        : new CommandError(31254, `Cannot do exclusion on field ${field.name} in inclusion projection`);
    }
    isInclusion = isIncluded;
    names.add(field.name);
  }
  if (isInclusion === undefined && isIdIncluded === undefined) {
    return undefined;
  }
  const isOthersIncluded = isInclusion ?? isIdIncluded === true;
  if (isIdIncluded ?? true) {
    return (bytes, start) =>
      select(bytes, start, (name) => name === '_id' || names.has(name) === isOthersIncluded);
  }
  return (bytes, start) =>
    select(bytes, start, (name) => name !== '_id' && names.has(name) === isOthersIncluded);
}

const projectionTypes = [
  bsonTypes.bool,
  bsonTypes.int,
  bsonTypes.long,
  bsonTypes.double,
  bsonTypes.decimal,
] as const;

function select(bytes: Buffer, start: number, isWanted: (name: string) => boolean): Buffer {
  const selected = Buffer.allocUnsafe(readInt32(bytes, start));
  let length = 4;
  for (const { name, nameStart, end } of readFields(bytes, start)) {
    if (isWanted(name)) {
      length += bytes.copy(selected, length, nameStart - 1, end);
    }
  }
  selected[length++] = 0;
  selected.writeInt32LE(length, 0);
  return selected.subarray(0, length);
}
