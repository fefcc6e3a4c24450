/** The table of BSON types, and the errors for bytes that are not BSON. https://bsonspec.org/spec.html */

import { SourceError } from '../common/errors.ts';

/** The type byte of an element, by MongoDB's name of the type. */
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

/** The name of a BSON type, as in `$type`: https://www.mongodb.com/docs/manual/reference/bson-types/ */
export type BsonTypeName = keyof typeof bsonTypes;

interface TypeFacts {
  /**
   * Its rank in MongoDB's order, from 1. Types whose values are compared with each other have the same rank.
   * https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
   */
  readonly rank: number;
  /** The size of its values in bytes; null if values have a length of their own. */
  readonly size: number | null;
}

const facts: Readonly<Record<BsonTypeName, TypeFacts>> = {
  minKey: { rank: 1, size: 0 },
  undefined: { rank: 2, size: 0 },
  null: { rank: 3, size: 0 },
  int: { rank: 4, size: 4 },
  long: { rank: 4, size: 8 },
  double: { rank: 4, size: 8 },
  decimal: { rank: 4, size: 16 },
  symbol: { rank: 5, size: null },
  string: { rank: 5, size: null },
  object: { rank: 6, size: null },
  array: { rank: 7, size: null },
  binData: { rank: 8, size: null },
  objectId: { rank: 9, size: 12 },
  bool: { rank: 10, size: 1 },
  date: { rank: 11, size: 8 },
  timestamp: { rank: 12, size: 8 },
  regex: { rank: 13, size: null },
  dbPointer: { rank: 14, size: null },
  javascript: { rank: 15, size: null },
  javascriptWithScope: { rank: 16, size: null },
  maxKey: { rank: 17, size: 0 },
};

/** In MongoDB's order. */
const names = Object.keys(facts) as BsonTypeName[];

/** The rank, by type byte; 0 if there is no such type. */
export const typeRanks = new Uint8Array(256);
/** The size of values in bytes, by type byte; -1 if values have a length of their own, or there is no such type. */
export const fixedSizes = new Int8Array(256).fill(-1);
const typeNames: (BsonTypeName | undefined)[] = Array.from({ length: 256 }, () => undefined);
for (const name of names) {
  const type = bsonTypes[name];
  typeRanks[type] = facts[name].rank;
  fixedSizes[type] = facts[name].size ?? -1;
  typeNames[type] = name;
}

export function rankOf(type: number): number {
  return typeRanks[type] ?? 0;
}

/** @throws RangeError if there is no such type */
export function nameOfType(type: number): BsonTypeName {
  const name = typeNames[type];
  if (name === undefined) throw new RangeError(`0x${type.toString(16)} is not a BSON type`);
  return name;
}

/** Types whose values are compared with each other. */
export interface TypeBracket {
  readonly types: readonly BsonTypeName[];
  /** Its types have one value each, which are all equal. */
  readonly isSingleValue: boolean;
}

/** All types, in MongoDB's order. */
export const typeBrackets: readonly TypeBracket[] = [...new Set(names.map((name) => facts[name].rank))].map(
  (rank) => {
    const types = names.filter((name) => facts[name].rank === rank);
    return { types, isSingleValue: types.every((name) => facts[name].size === 0) };
  },
);

/** The bytes are not valid BSON. `offset` is the place in the input bytes. */
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

/** The BSON is nested deeper than is supported. */
export class NestingError extends BsonError {}
