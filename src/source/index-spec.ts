/** The definition of an index in MongoDB, from a server or a dump. */

import { deserialize } from 'bson';
import { bsonTypes } from '../bson/types.ts';
import { ElementCursor, findField } from '../bson/cursor.ts';
import { findDoubledName } from '../bson/json/doubled-name.ts';

export interface IndexSpec {
  readonly name: string;
  /** In the order of the index. */
  readonly key: readonly IndexKey[];
  readonly isUnique: boolean;
  /** The index omits documents that have none of the fields. */
  readonly isSparse: boolean;
  /** The index contains matching documents only. Values have the types of js-bson. */
  readonly partialFilter: Readonly<Record<string, unknown>> | null;
  /** A name that occurs twice in an object of the filter; `partialFilter` has only the last value. */
  readonly doubledName?: string;
  /** The language of its collation; null if it compares bytes. */
  readonly locale: string | null;
  /** For a TTL index: the server deletes documents this long after the date in the field; NaN is never. Otherwise null. */
  readonly expireAfterSeconds: number | null;
}

export interface IndexKey {
  /** Names separated by dots. */
  readonly path: string;
  /** Ascending, descending, or the name of a special kind: `hashed`, `text`, `2dsphere` … */
  readonly kind: 1 | -1 | string;
}

/**
 * Reads the key from the BSON bytes, because a JavaScript object would put a field called `1` first.
 * @param document an index in the format of listIndexes
 */
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
    ...readDoubledName(document),
    locale: typeof locale === 'string' && locale !== 'simple' ? locale : null,
    expireAfterSeconds: expireAfterSeconds === undefined ? null : toNumber(expireAfterSeconds),
  };
}

function readDoubledName(document: Uint8Array): { doubledName?: string } {
  const filter = findField(document, 'partialFilterExpression');
  if (filter?.type !== bsonTypes.object) return {};
  const doubledName = findDoubledName(Buffer.from(document.subarray(filter.valueStart, filter.valueEnd)));
  return doubledName === null ? {} : { doubledName };
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

/** In indexes of old servers, anything that is neither a negative number nor a name means ascending. */
function readKind(value: unknown): IndexKey['kind'] {
  if (typeof value === 'string' && value !== '') return value;
  return toNumber(value) < 0 ? -1 : 1;
}

/** Old servers stored any number. */
function isTrue(value: unknown): boolean {
  return value === true || toNumber(value) > 0;
}

/** NaN if it is not a number. The number types of js-bson convert to strings of digits. */
function toNumber(value: unknown): number {
  return Number(String(value));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
