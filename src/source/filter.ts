/** The filter that chooses which documents are read: Extended JSON, and its place beside the filter of a page. */

import { type Document, EJSON } from 'bson';
import { UsageError } from '../errors.ts';
import { parseJson } from '../json-text.ts';

const example = `for example {"age": {"$gte": 30}}, or with types {"_id": {"$gt": {"$oid": "65f0a1b2c3d4e5f6a7b8c9d0"}}}`;

/**
 * Extended JSON → a query filter in which every number keeps its BSON type.
 * @param label the name under which the user gave it, for the message
 * @throws UsageError
 */
export function parseFilter(text: string, label: string): Document {
  parseJson(text, label);
  let filter: unknown;
  try {
    filter = EJSON.parse(text, { relaxed: false });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${label} is not Extended JSON: ${problem}`, {
      code: 'FILTER_INVALID',
      fix: example,
      cause: error,
    });
  }
  // An array, a number, or one value such as {"$oid": …} is JSON as well.
  if (typeof filter === 'object' && filter !== null && Object.getPrototypeOf(filter) === Object.prototype) {
    return filter;
  }
  throw new UsageError(`${label} must be an object of fields and what they must match`, {
    code: 'FILTER_INVALID',
    fix: example,
  });
}

/** What is read within `page`, a filter on `_id`, when the user has a filter as well. */
export function narrow(page: Document, filter: Document | undefined): Document {
  if (filter === undefined) return page;
  // Not merged into one document: both may ask something of `_id`.
  return Object.keys(page).length === 0 ? filter : { $and: [page, filter] };
}
