/** Checks the specification of an index, and fills in what MongoDB fills in. */
import { EJSON } from 'bson';
import { findValue } from '../../../../src/bson/raw-value.ts';
import { guessName } from '../../../../src/bson/cursor.ts';
import type { RawField } from '../../../../src/bson/raw-value.ts';
import { bsonTypes } from '../../../../src/bson/types.ts';
import { fillInCollation } from './query/collation.ts';
import { decodeDocument } from './decode.ts';
import { CommandError, ErrorCode } from './errors.ts';
import { parseFilter } from '../../../../src/bson/match/filter.ts';
import { isDocument } from './storage/metadata.ts';
import type { KeptDocument } from './storage/metadata.ts';

const knownOptions = new Set(
  (
    'v key name unique sparse hidden background partialFilterExpression expireAfterSeconds collation prepareUnique ' +
    'storageEngine weights default_language language_override textIndexVersion 2dsphereIndexVersion bits min max ' +
    'bucketSize coarsestIndexedLevel finestIndexedLevel wildcardProjection columnstoreProjection ns clustered'
  ).split(' '),
);

const knownKinds = ['hashed', 'text', '2d', '2dsphere', '2dsphere_bucket', 'columnstore'];

/** https://www.mongodb.com/docs/manual/reference/limits/#indexes */
const maxFields = 32;
const maxExpirySeconds = 2 ** 31 - 1;

/**
 * @param inherited the collation of the collection, the default of the index
 * @returns the specification as listIndexes returns it
 */
export function parseIndexSpec(field: RawField, inherited?: unknown): KeptDocument {
  const spec = decodeDocument(field);
  const unknown = Object.keys(spec).find((option) => !knownOptions.has(option));
  if (unknown !== undefined) {
    throw new CommandError(
      ErrorCode.invalidIndexSpecificationOption,
      `The field '${unknown}' is not valid for an index specification. Specification: ${EJSON.stringify(spec)}`,
    );
  }
  const { key, name, ...options } = spec;
  delete options.v;
  if (inherited !== undefined) options.collation ??= inherited;
  // The simple collation is what there is without one.
  if (isDocument(options.collation) && options.collation.locale === 'simple') {
    delete options.collation;
  }
  for (const [property, value] of Object.entries({ key, name })) {
    if (value === undefined) {
      throw new CommandError(
        ErrorCode.failedToParse,
        `Error in specification ${EJSON.stringify(spec)} :: caused by :: The '${property}' field is a required property of an index specification`,
      );
    }
  }
  if (!isDocument(key) || typeof name !== 'string') {
    throw new CommandError(
      ErrorCode.typeMismatch,
      "The field 'key' must be an object, and the field 'name' a string",
    );
  }
  checkKey(key);
  checkOptions(key, options, field);
  return { v: 2, ...fillIn(key, name, options) };
}

/** Whether the two index the same, whatever their names. */
export function hasSameKey(a: KeptDocument, b: KeptDocument): boolean {
  const [first, second] = [a, b].map(({ key, collation, partialFilterExpression }) =>
    EJSON.stringify({ key, collation, partialFilterExpression }),
  );
  return first === second;
}

export function isSameIndex(a: KeptDocument, b: KeptDocument): boolean {
  const [first, second] = [a, b].map((spec) =>
    EJSON.stringify(Object.fromEntries(Object.entries(spec).sort(([x], [y]) => (x < y ? -1 : 1)))),
  );
  return first === second;
}

function kindOf(key: KeptDocument): string | undefined {
  return Object.values(key).find((value): value is string => typeof value === 'string');
}

function checkKey(key: KeptDocument): void {
  const entries = Object.entries(key);
  if (entries.length === 0) {
    throw refuse('Index keys cannot be empty.');
  }
  if (entries.length > maxFields) {
    throw new CommandError(13103, 'too many compound keys');
  }
  for (const [path, value] of entries) {
    if (path.split('.').includes('')) {
      throw refuse('Index keys cannot contain an empty field.');
    }
    if (typeof value === 'string') {
      if (!knownKinds.includes(value)) {
        throw refuse(`Unknown index plugin '${value}'`);
      }
      continue;
    }
    const direction = Number(value);
    if (typeof value === 'boolean' || value === null || Number.isNaN(direction)) {
      throw refuse(
        `Values in v:2 index key pattern cannot be of type ${typeof value}. Only numbers > 0, numbers < 0, and strings are allowed.`,
      );
    }
    if (direction === 0) {
      throw refuse('Values in the index key pattern cannot be 0.');
    }
  }
}

function checkOptions(key: KeptDocument, options: KeptDocument, field: RawField): void {
  const { unique, sparse, expireAfterSeconds, partialFilterExpression } = options;
  const kind = kindOf(key);
  if (options.collation !== undefined && (kind === 'text' || kind === '2d')) {
    throw refuse(`Index type '${kind}' does not support collation: ${EJSON.stringify(options.collation)}`);
  }
  if (unique === true && kind === 'hashed') {
    throw new CommandError(
      16764,
      'Currently hashed indexes cannot guarantee uniqueness. Use a regular index.',
    );
  }
  if (sparse === true && partialFilterExpression !== undefined) {
    throw refuse('cannot mix "partialFilterExpression" and "sparse" options');
  }
  if (expireAfterSeconds !== undefined) {
    const seconds = typeof expireAfterSeconds === 'string' ? Number.NaN : Number(expireAfterSeconds);
    if (!(seconds >= 0 && seconds <= maxExpirySeconds)) {
      throw refuse(`TTL index 'expireAfterSeconds' must be a number from 0 to ${maxExpirySeconds}`);
    }
    if (Object.keys(key).length > 1) {
      throw refuse('TTL indexes are single-field indexes, compound indexes do not support TTL.');
    }
  }
  if (partialFilterExpression !== undefined) {
    parsePartialFilter(field);
  }
}

function parsePartialFilter(field: RawField): void {
  const filter = findValue(field.bytes, field.start, guessName('partialFilterExpression'));
  if (filter?.type !== bsonTypes.object) {
    throw new CommandError(ErrorCode.typeMismatch, "The field 'partialFilterExpression' must be an object");
  }
  parseFilter(filter.bytes, filter.start);
}

function fillIn(key: KeptDocument, name: string, options: KeptDocument): KeptDocument {
  const kind = kindOf(key);
  if (kind === 'text') {
    return fillInText(key, name, options);
  }
  if (kind === '2dsphere') {
    return { key, name, ...options, '2dsphereIndexVersion': 3 };
  }
  const { collation } = options;
  return {
    key,
    name,
    ...options,
    ...(isDocument(collation) ? { collation: fillInCollation(collation) } : {}),
  };
}

/** The fields of a text index stand in its weights; in the key is one for all of them. */
function fillInText(key: KeptDocument, name: string, options: KeptDocument): KeptDocument {
  const fields = Object.keys(key);
  const isText = (path: string): boolean => key[path] === 'text';
  const texts = fields.filter(isText);
  const first = fields.findIndex(isText);
  const pick = (paths: string[]): KeptDocument => Object.fromEntries(paths.map((path) => [path, key[path]]));
  const before = pick(fields.slice(0, first));
  const after = pick(fields.slice(first).filter((path) => !isText(path)));
  const given = isDocument(options.weights) ? options.weights : {};
  return {
    key: { ...before, _fts: 'text', _ftsx: 1, ...after },
    name,
    default_language: 'english',
    language_override: 'language',
    textIndexVersion: 3,
    ...options,
    weights: { ...Object.fromEntries(texts.sort().map((path) => [path, 1])), ...given },
  };
}

function refuse(message: string): CommandError {
  return new CommandError(ErrorCode.cannotCreateIndex, message);
}
