/** Reads which indexes a collection has. By their bytes: a JavaScript object would put a field called `1` first. */

import { deserialize } from 'bson';
import { MongoServerError, type Db } from 'mongodb';
import { ElementCursor, findField } from '../transcode/bson.ts';
import { listDocuments, readBatch } from './documents.ts';
import type { IndexKey, IndexSpec } from './index-spec.ts';

/** More than the 64 that a collection can have, so that one reply has them all. */
const batchSize = 1000;

const commandNotSupportedOnView = 166;

/** All indexes of the collection, the one of `_id` among them; none of a view. */
export async function readIndexes(db: Db, collection: string): Promise<IndexSpec[]> {
  try {
    // Without the URL's read concern, which this command does not take.
    const { readPreference } = db;
    const command = { listIndexes: collection, cursor: { batchSize } };
    const reply = await db.command(command, { raw: true, readPreference });
    return listDocuments(readBatch(reply.cursor as Uint8Array)).map(readIndexSpec);
  } catch (error) {
    if (error instanceof MongoServerError && error.code === commandNotSupportedOnView) return [];
    throw error;
  }
}

/** @param document an index as listIndexes tells it */
export function readIndexSpec(document: Uint8Array): IndexSpec {
  const options = { promoteValues: false, bsonRegExp: true, validation: { utf8: false } } as const;
  const spec: Record<string, unknown> = deserialize(document, options);
  const { name, unique, sparse, partialFilterExpression, collation, expireAfterSeconds } = spec;
  const locale = isObject(collation) ? collation.locale : undefined;
  return {
    name: String(name),
    key: readKey(document, isObject(spec.key) ? spec.key : {}),
    isUnique: isTrue(unique),
    isSparse: isTrue(sparse),
    partialFilter: isObject(partialFilterExpression) ? partialFilterExpression : null,
    locale: typeof locale === 'string' && locale !== 'simple' ? locale : null,
    expireAfterSeconds: expireAfterSeconds === undefined ? null : toNumber(expireAfterSeconds),
  };
}

function readKey(document: Uint8Array, values: Readonly<Record<string, unknown>>): IndexKey[] {
  const key = findField(document, 'key');
  if (key === null) return [];
  const bytes = Buffer.from(document.buffer, document.byteOffset, document.byteLength);
  const cursor = new ElementCursor();
  cursor.open(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), key.valueStart, key.valueEnd);
  const keys: IndexKey[] = [];
  while (cursor.next(null)) {
    const path = bytes.toString('utf8', cursor.nameStart, cursor.nameEnd);
    keys.push({ path, kind: readKind(values[path]) });
  }
  return keys;
}

/** In indexes of old servers, whatever is neither a negative number nor a name is ascending. */
function readKind(value: unknown): IndexKey['kind'] {
  if (typeof value === 'string' && value !== '') return value;
  return toNumber(value) < 0 ? -1 : 1;
}

/** Old servers kept any number. */
function isTrue(value: unknown): boolean {
  return value === true || toNumber(value) > 0;
}

/** NaN for what is none. The number types of js-bson print as their numbers. */
function toNumber(value: unknown): number {
  return Number(String(value));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
