/**
 * Cuts a collection into intervals of `_id`, at ids that it has. Whatever is inserted or deleted meanwhile, they cover all
 * of it and nothing twice. Arithmetic on ids could not do that: other numbers lie between two integers, and most types
 * have no middle.
 */

import type { Interval } from '../page.ts';

/** Longer ones could add up to more than one query holds, and each is kept in the ledger. */
const maxIdBytes = 1000;

/** Where the value's first bytes are in `{_id: …}`: after length, type and name. */
const valueStart = 9;

/**
 * Whether an `_id` can be asked for as one value of many: a regular expression would be taken for a pattern, an object
 * whose first name begins with `$` for an operator, and undefined is refused.
 * @param id a BSON document `{_id: …}`
 */
export function canDivide(id: Uint8Array): boolean {
  if (id.byteLength > maxIdBytes) return false;
  const type = id[4];
  const isPattern = type === 0x0b;
  const isUndefined = type === 0x06;
  // Length and first type byte of the object come before the name.
  const isOperator = type === 0x03 && id[valueStart + 5] === 0x24;
  return !isPattern && !isUndefined && !isOperator;
}

/**
 * Where to cut to get `parts` intervals with about as many of the ids in each; fewer where there are not enough ids.
 * @param ids in order, each once
 */
export function chooseCuts<T>(ids: readonly T[], parts: number): T[] {
  const cuts = new Set<number>();
  for (let part = 1; part < parts; part++) {
    cuts.add(Math.round(((ids.length + 1) * part) / parts) - 1);
  }
  return ids.filter((_, index) => cuts.has(index));
}

/** One interval more than there are cuts; the first begins, and the last ends, where the collection does. */
export function intervalsBetween(cuts: readonly Uint8Array[]): Interval[] {
  return [null, ...cuts].map((after, index) => ({ after, until: cuts[index] ?? null }));
}
