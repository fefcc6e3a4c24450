/**
 * Paging over `_id` when its values have several types.
 *
 * MongoDB sorts values of all types in one order, but `$gt` compares within one bracket of like types only. A reader
 * that pages by `$gt` alone ends silently where the first bracket ends. Hence two steps: read on after the last `_id`
 * within its bracket; when that gives nothing, read the brackets that come later.
 *
 * https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
 */

import {
  arrayOf,
  buildDocument,
  doubleOf,
  objectOf,
  textOf,
  type BsonField,
  type BsonValue,
} from '../../bson/build.ts';
import { bsonTypes } from '../../bson/types.ts';
import { findField } from '../../bson/cursor.ts';

interface Bracket {
  /** The `$type` aliases of the bracket's types. */
  readonly types: readonly string[];
  /** The bracket has one value, so that nothing comes after it within the bracket. */
  readonly isSingleValue?: true;
}

/** In MongoDB's order. Arrays are missing: an `_id` is never one, and `$type: "array"` costs the index. */
const brackets: readonly Bracket[] = [
  { types: ['minKey'], isSingleValue: true },
  { types: ['undefined', 'null'], isSingleValue: true },
  { types: ['int', 'long', 'double', 'decimal'] },
  { types: ['symbol', 'string'] },
  { types: ['object'] },
  { types: ['binData'] },
  { types: ['objectId'] },
  { types: ['bool'] },
  { types: ['date'] },
  { types: ['timestamp'] },
  { types: ['regex'] },
  { types: ['dbPointer'] },
  { types: ['javascript'] },
  { types: ['javascriptWithScope'] },
  { types: ['maxKey'], isSingleValue: true },
];

const numbers = brackets.findIndex(({ types }) => types.includes('double'));

/** Equal to that of every type of number. */
const nan = doubleOf(Number.NaN);

/** The type byte of an element → its bracket's index. https://bsonspec.org/spec.html */
const bracketOfTypeByte = new Map<number, number>([
  [0xff, 0],
  [0x06, 1],
  [0x0a, 1],
  [0x10, 2],
  [0x12, 2],
  [0x01, 2],
  [0x13, 2],
  [0x0e, 3],
  [0x02, 3],
  [0x03, 4],
  [0x05, 5],
  [0x07, 6],
  [0x08, 7],
  [0x09, 8],
  [0x11, 9],
  [0x0b, 10],
  [0x0c, 11],
  [0x0d, 12],
  [0x0f, 13],
  [0x7f, 14],
]);

/**
 * The filters that together read all of (after, until], in the order in which they must be used: each until it
 * gives an empty page. (A short page says nothing: a reply is cut at 16 MB.)
 * @param after a BSON document `{_id: …}`, or null for the beginning
 * @param until likewise, or null for the end
 * @param unknownTypes aliases that the server does not know; it has no values of these types
 * @returns each a BSON document, in which an `_id` is as it was read, byte for byte
 */
export function filtersBetween(
  after: Uint8Array | null,
  until: Uint8Array | null,
  unknownTypes: ReadonlySet<string> = new Set(),
): Uint8Array[] {
  if (after === null && until === null) return [buildDocument()];
  const first = after === null ? -1 : bracketIndexOf(after);
  const last = until === null ? brackets.length : bracketIndexOf(until);
  const filters: Uint8Array[] = [];
  if (after !== null && first === last && until !== null) {
    // A bracket of one value has nothing after it.
    if (brackets[first]?.isSingleValue === true) return [];
    return [filterBy(afterWithinBracket(after), untilWithinBracket(until, last, unknownTypes))];
  }
  if (after !== null && brackets[first]?.isSingleValue !== true) {
    filters.push(filterBy(afterWithinBracket(after)));
  }
  const between = brackets
    .slice(first + 1, last)
    .flatMap(({ types }) => types)
    .filter((type) => !unknownTypes.has(type));
  if (between.length > 0) filters.push(filterBy(ofTypes(between)));
  if (until !== null) {
    // NaN sorts before all numbers, but `$lte` does not find it.
    if (last === numbers) filters.push(filterBy(['$eq', nan]));
    filters.push(filterBy(untilWithinBracket(until, last, unknownTypes)));
  }
  return filters;
}

/** Whether filters may ask for the type. @param alias as `$type` takes it */
export function isIdType(alias: string): boolean {
  return brackets.some(({ types }) => types.includes(alias));
}

function bracketIndexOf(id: Uint8Array): number {
  // The first element's type byte follows the document's int32 length.
  const type = id[4] ?? 0;
  const index = bracketOfTypeByte.get(type);
  if (index === undefined) throw new Error(`an _id of BSON type ${type} has no place in the order`);
  return index;
}

function untilWithinBracket(until: Uint8Array, index: number, unknownTypes: ReadonlySet<string>): BsonField {
  const bracket = brackets[index];
  if (bracket?.isSingleValue === true) {
    return ofTypes(bracket.types.filter((type) => !unknownTypes.has(type)));
  }
  return ['$lte', readId(until)];
}

function afterWithinBracket(after: Uint8Array): BsonField {
  const id = readId(after);
  // NaN sorts before all numbers, but `$gt: NaN` finds nothing.
  return isNaNValue(id) ? ['$gte', doubleOf(Number.NEGATIVE_INFINITY)] : ['$gt', id];
}

function filterBy(...operators: readonly BsonField[]): Buffer {
  return buildDocument(['_id', objectOf(...operators)]);
}

function ofTypes(aliases: readonly string[]): BsonField {
  return ['$type', arrayOf(aliases.map(textOf))];
}

/** In a decimal these five bits say so, whatever the others are: IEEE 754-2008, 3.5.2. */
const nanBits = 0x7c;

function isNaNValue({ type, bytes }: BsonValue): boolean {
  if (type === bsonTypes.decimal) return ((bytes[15] ?? 0) & nanBits) === nanBits;
  return type === bsonTypes.double && Number.isNaN(viewOf(bytes).getFloat64(0, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The value of a BSON document `{_id: …}`, as it is there. */
export function readId(id: Uint8Array): BsonValue {
  const field = findField(id, '_id');
  if (field === null) throw new Error('a position has no _id');
  return { type: field.type, bytes: id.subarray(field.valueStart, field.valueEnd) };
}
