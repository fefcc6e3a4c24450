/** The user's filter: parses it from Extended JSON, and combines it with the filter of a page. */

import { UsageError } from '../common/errors.ts';
import { parseJson } from '../common/json-text.ts';
import { arrayOf, asObject, buildDocument } from './build.ts';
import { bsonTypes } from './types.ts';
import { findField, wrapBytes } from './cursor.ts';
import { JsonWriter } from './json/json-writer.ts';
import { Output } from './output.ts';
import { findDoubledName } from './json/doubled-name.ts';
import { JsonError } from './json/json-error.ts';
import { JsonToBson } from './json/json-to-bson.ts';

const example = `for example {"age": {"$gte": 30}}, or with types {"_id": {"$gt": {"$oid": "65f0a1b2c3d4e5f6a7b8c9d0"}}}`;

const wrapper = 'filter';

/**
 * Parses Extended JSON into a query filter, a BSON document. Not by way of JavaScript objects, which put names such as `7`
 * first: for MongoDB, `{z: 1, "7": 1}` and `{"7": 1, z: 1}` are different values.
 * @param label the name by which the user gave it, for the message
 * @throws UsageError
 */
export function parseFilter(text: string, label: string): Uint8Array {
  parseJson(text, label);
  const whole = convert(`{"${wrapper}":${text}}`, label);
  const filter = findField(whole, wrapper);
  // An array, a number, or a value such as {"$oid": …} is valid JSON, but not a filter.
  if (filter?.type !== bsonTypes.object) {
    throw new UsageError(`${label} must be an object of fields and what they must match`, {
      code: 'FILTER_INVALID',
      fix: example,
    });
  }
  const doubled = findDoubledName(whole);
  if (doubled !== null) {
    throw new UsageError(`${label} has the name ${JSON.stringify(doubled)} twice in one object`, {
      code: 'FILTER_NAME_TWICE',
      fix: 'join two conditions on one field by {"$and": [{…}, {…}]}.',
    });
  }
  return whole.subarray(filter.valueStart, filter.valueEnd);
}

function convert(json: string, label: string): Buffer {
  try {
    return new JsonToBson().convert(Buffer.from(json));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new UsageError(`${label} is not Extended JSON: ${error.message}`, {
      code: 'FILTER_INVALID',
      fix: example,
      cause: error,
    });
  }
}

/** The filter as canonical Extended JSON. Equal filters give equal texts, and the text can be parsed again. */
export function describeFilter(filter: Uint8Array): string {
  const output = new Output(filter.byteLength * 2);
  const json = new JsonWriter({ style: 'canonical', nul: 'escape', keepsOrder: false });
  json.writeValue(wrapBytes(filter), bsonTypes.object, 0, filter.byteLength, output);
  return output.bytes.toString('utf8', 0, output.position);
}

const emptyBytes = buildDocument().byteLength;

/** Combines `page`, a filter on `_id`, with the user's filter. All are BSON documents. */
export function narrow(page: Uint8Array, filter: Uint8Array | undefined): Uint8Array {
  if (filter === undefined) return page;
  // Joined by $and, because both may have conditions on `_id`.
  return page.byteLength === emptyBytes
    ? filter
    : buildDocument(['$and', arrayOf([asObject(page), asObject(filter)])]);
}
