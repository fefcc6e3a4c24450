/**
 * Cuts a collection into intervals of `_id`, at existing ids. Together the intervals cover everything once, whatever is
 * inserted or deleted meanwhile. Arithmetic on ids could not do that: between two integers there are other numbers, and most
 * types have no middle.
 */

import { bsonTypes } from '../../../bson/types.ts';
import { readId } from './id-brackets.ts';
import type { Interval } from '../../page.ts';

/** Longer ids could exceed the size of a query together, and each is stored in the ledger. */
const maxIdBytes = 1000;

/**
 * Whether an `_id` can be a value of `$in`: a regular expression would be a pattern, an object whose first name begins with
 * `$` would be an operator, and the server refuses undefined.
 * @param id a BSON document `{_id: …}`
 */
export function canDivide(id: Uint8Array): boolean {
  if (id.byteLength > maxIdBytes) return false;
  const { type, bytes } = readId(id);
  const isPattern = type === bsonTypes.regex;
  const isUndefined = type === bsonTypes.undefined;
  // Length and first type byte of the object come before the name.
  const isOperator = type === bsonTypes.object && bytes[5] === 0x24;
  return !isPattern && !isUndefined && !isOperator;
}

/**
 * The ids at which to cut into `parts` intervals of about the same number of ids; fewer if there are not enough ids.
 * @param ids sorted and distinct
 */
export function chooseCuts<T>(ids: readonly T[], parts: number): T[] {
  const cuts = new Set<number>();
  for (let part = 1; part < parts; part++) {
    cuts.add(Math.round(((ids.length + 1) * part) / parts) - 1);
  }
  return ids.filter((_, index) => cuts.has(index));
}

/** One interval more than there are cuts; together they cover the whole collection. */
export function intervalsBetween(cuts: readonly Uint8Array[]): Interval[] {
  return [null, ...cuts].map((after, index) => ({ after, until: cuts[index] ?? null }));
}
