/** `_id`s that an object of JavaScript, or js-bson, would change; and how to insert them. */

import { serialize } from 'bson';
import type { Collection } from 'mongodb';
import { rawField } from '../../src/source/mongo/raw-field.ts';
import { arrayOf, asObject, buildDocument, type BsonValue } from '../../src/bson/build.ts';
import { bsonTypes } from '../../src/bson/types.ts';
import { findField } from '../../src/bson/cursor.ts';
import { value } from './arbitrary-bson.ts';
import { double, int32, int64, rawDocument, rawString, type RawElement } from './raw-bson.ts';
import { corpus } from './raw-corpus.ts';
import fc from './fast-check.ts';

/** A server does not accept these as an `_id`. */
const refused = new Set<number>([bsonTypes.array, bsonTypes.regex, bsonTypes.undefined]);

const known: readonly BsonValue[] = corpus
  // As an `_id` it would exceed the index limit of an old server.
  .filter(({ bytes }) => bytes.byteLength < 1000)
  .map(({ bson, bytes }) => ({ type: bsonTypes[bson], bytes }))
  .filter(({ type }) => !refused.has(type));

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((of) => Buffer.from(of));

/** Text as bytes, rarely valid UTF-8. */
const brokenText = bytes(6).map((of): BsonValue => ({ type: bsonTypes.string, bytes: rawString(of) }));
const anyDate = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  .map((ms): BsonValue => ({ type: bsonTypes.date, bytes: int64(ms) }));
const anyDouble = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map((of): BsonValue => ({ type: bsonTypes.double, bytes: Buffer.from(of) }));
const anyDecimal = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((of): BsonValue => ({ type: bsonTypes.decimal, bytes: Buffer.from(of) }));
/** Without NUL in its name: MongoDB compares all of a name, but its indexes have only what is before the NUL. */
const pointer = fc
  .tuple(
    bytes(5).filter((name) => !name.includes(0)),
    fc.uint8Array({ minLength: 12, maxLength: 12 }),
  )
  .map(([text, id]): BsonValue => ({
    type: bsonTypes.dbPointer,
    bytes: Buffer.concat([rawString(text), id]),
  }));

const usual = value
  .map((of) => serialize(new Map([['_id', of]])))
  .map((document): BsonValue => {
    const field = findField(document, '_id');
    return field === null
      ? { type: bsonTypes.null, bytes: Buffer.of() }
      : { type: field.type, bytes: document.subarray(field.valueStart, field.valueEnd) };
  })
  .filter(({ type }) => !refused.has(type));

const scalar = fc.oneof(
  fc.constantFrom(...known),
  brokenText,
  anyDate,
  anyDouble,
  anyDecimal,
  pointer,
  fc.integer().map((of): BsonValue => ({ type: bsonTypes.int, bytes: int32(of) })),
  fc.double().map((of): BsonValue => ({ type: bsonTypes.double, bytes: double(of) })),
);

/** Names that are integers, in any order, and often the same; at the first level none that a server refuses. */
const object = fc
  .array(fc.tuple(fc.constantFrom('a', 'z', '7', '2024', '0', '__proto__', ''), scalar), { maxLength: 4 })
  .map((fields): BsonValue => {
    const elements = fields.map(([name, of]): RawElement => [of.type, name, Buffer.from(of.bytes)]);
    return { type: bsonTypes.object, bytes: rawDocument(elements) };
  });

export const hostileId: fc.Arbitrary<BsonValue> = fc
  .oneof(scalar, object, usual)
  .filter((of) => of.type !== bsonTypes.object || !hasOperatorName(of.bytes));

function hasOperatorName(document: Uint8Array): boolean {
  return Buffer.from(document).includes('$');
}

/**
 * Each as the `_id` of a document `{_id, n}`, in which `n` is its place in the list; of those that are equal to the server
 * the first alone.
 */
export async function insertIds(collection: Collection, ids: readonly BsonValue[]): Promise<void> {
  const documents = ids.map((id, n) => {
    return asObject(buildDocument(['_id', id], ['n', { type: bsonTypes.int, bytes: int32(n) }]));
  });
  await collection.db.command({
    insert: collection.collectionName,
    ...rawField('documents', arrayOf(documents)),
    ordered: false,
    // A raw command has no write concern of the URL: majority readers might miss the documents.
    writeConcern: { w: 'majority' },
  });
}
