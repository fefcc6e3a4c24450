/** The types of BSON, and the error for bytes that are none. https://bsonspec.org/spec.html */

import { SourceError } from '../common/errors.ts';

/** The type byte of an element, under MongoDB's own name for it. https://bsonspec.org/spec.html */
export const bsonTypes = {
  double: 0x01,
  string: 0x02,
  object: 0x03,
  array: 0x04,
  binData: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  bool: 0x08,
  date: 0x09,
  null: 0x0a,
  regex: 0x0b,
  dbPointer: 0x0c,
  javascript: 0x0d,
  symbol: 0x0e,
  javascriptWithScope: 0x0f,
  int: 0x10,
  timestamp: 0x11,
  long: 0x12,
  decimal: 0x13,
  maxKey: 0x7f,
  minKey: 0xff,
} as const;

/** The name of a BSON type, as `$type` has it: https://www.mongodb.com/docs/manual/reference/bson-types/ */
export type BsonTypeName = keyof typeof bsonTypes;

const typeNames = new Map<number, BsonTypeName>();
for (const name of Object.keys(bsonTypes) as BsonTypeName[]) {
  typeNames.set(bsonTypes[name], name);
}

export function nameOfType(type: number): BsonTypeName {
  const name = typeNames.get(type);
  if (name === undefined) throw new RangeError(`0x${type.toString(16)} is not a BSON type`);
  return name;
}

/** Bytes that are not BSON: what is wrong with them, and at which byte of those that were handed over. */
export class BsonError extends SourceError {
  readonly problem: string;
  readonly offset: number;

  constructor(problem: string, offset: number) {
    super(`corrupt BSON: ${problem} at byte ${offset}`, {
      code: 'BSON_CORRUPT',
      fix: 'Run validate() on the collection in MongoDB; it finds and explains damaged documents.',
    });
    this.problem = problem;
    this.offset = offset;
  }
}
