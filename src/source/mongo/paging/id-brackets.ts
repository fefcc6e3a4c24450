/**
 * Paging over `_id` when its values have several types.
 *
 * MongoDB sorts values of all types in one order, but `$gt` compares only within one bracket of similar types. A reader that
 * pages by `$gt` alone would end silently at the end of the first bracket. Therefore it takes two steps: read on after the last `_id`
 * within its bracket; if that finds nothing, read the later brackets.
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
} from '../../../bson/build.ts';
import { bsonTypes, nameOfType, typeBrackets } from '../../../bson/types.ts';
import { findField } from '../../../bson/cursor.ts';

/** In MongoDB's order. Without arrays: an `_id` is never one, and `$type: "array"` could not use the index. */
const brackets = typeBrackets.filter(({ types }) => !types.includes('array'));

const numbers = bracketIndexOf('double');

/** Equal to the NaN of every numeric type. */
const nan = doubleOf(Number.NaN);

/**
 * The filters that together read all of (after, until]. They must be used in this order, each until it gives an empty page.
 * (A short page is not the end: a reply is limited to 16 MB.)
 * @param after a BSON document `{_id: …}`, or null for the beginning
 * @param until likewise, or null for the end
 * @param unknownTypes type aliases that the server does not know; it has no values of these types
 * @returns BSON documents; an `_id` in them is byte for byte as it was read
 */
export function filtersBetween(
  after: Uint8Array | null,
  until: Uint8Array | null,
  unknownTypes: ReadonlySet<string> = new Set(),
): Uint8Array[] {
  if (after === null && until === null) return [buildDocument()];
  const first = after === null ? -1 : bracketOf(after);
  const last = until === null ? brackets.length : bracketOf(until);
  const filters: Uint8Array[] = [];
  if (after !== null && first === last && until !== null) {
    // A bracket of one value has nothing after it.
    if (isSingleValue(first)) return [];
    return [filterBy(afterWithinBracket(after), untilWithinBracket(until, last, unknownTypes))];
  }
  if (after !== null && !isSingleValue(first)) {
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

/** Whether filters may use the type. @param alias as in `$type` */
export function isIdType(alias: string): boolean {
  return bracketIndexOf(alias) >= 0;
}

function bracketOf(id: Uint8Array): number {
  // The first element's type byte follows the document's int32 length.
  const type = nameOfType(id[4] ?? 0);
  const index = bracketIndexOf(type);
  if (index < 0) throw new Error(`an _id of the type ${type} has no place in the order`);
  return index;
}

function bracketIndexOf(type: string): number {
  return brackets.findIndex(({ types }) => (types as readonly string[]).includes(type));
}

function isSingleValue(bracket: number): boolean {
  return brackets[bracket]?.isSingleValue === true;
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

/** A decimal is NaN if these five bits are set, whatever the others are: IEEE 754-2008, 3.5.2. */
const nanBits = 0x7c;

function isNaNValue({ type, bytes }: BsonValue): boolean {
  if (type === bsonTypes.decimal) return ((bytes[15] ?? 0) & nanBits) === nanBits;
  return type === bsonTypes.double && Number.isNaN(viewOf(bytes).getFloat64(0, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The unchanged value of a BSON document `{_id: …}`. */
export function readId(id: Uint8Array): BsonValue {
  const field = findField(id, '_id');
  if (field === null) throw new Error('a position has no _id');
  return { type: field.type, bytes: id.subarray(field.valueStart, field.valueEnd) };
}
