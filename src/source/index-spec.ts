/** An index of a collection, as its server or a dump tells it. */

import { deserialize } from 'bson';
import { bsonTypes } from '../bson/types.ts';
import { ElementCursor, findField } from '../bson/cursor.ts';
import { findDoubledName } from '../bson/json/doubled-name.ts';

export interface IndexSpec {
  readonly name: string;
  /** In the index's order. */
  readonly key: readonly IndexKey[];
  readonly isUnique: boolean;
  /** Documents without any of the fields are not in it. */
  readonly isSparse: boolean;
  /** Only documents that match are in it; with the types of js-bson. */
  readonly partialFilter: Readonly<Record<string, unknown>> | null;
  /** A name that an object in the filter has twice: `partialFilter` has the last of the two alone. */
  readonly doubledName?: string;
  /** The language by which it compares text; null where it compares bytes. */
  readonly locale: string | null;
  /** The server deletes documents so long after the date in the field; NaN is never. Null: it is no such index. */
  readonly expireAfterSeconds: number | null;
}

export interface IndexKey {
  /** Names with dots between them. */
  readonly path: string;
  /** Ascending, descending, or the name of a special kind: `hashed`, `text`, `2dsphere` … */
  readonly kind: 1 | -1 | string;
}

/**
 * By its bytes: a JavaScript object would put a field called `1` first.
 * @param document an index as listIndexes tells it
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
