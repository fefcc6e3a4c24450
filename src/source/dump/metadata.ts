/** The metadata of a collection in a dump: `*.metadata.json`, in Extended JSON of version 1 or 2. */

import { deserialize, type Document } from 'bson';
import { SourceError } from '../../common/errors.ts';
import { bsonTypes } from '../../bson/types.ts';
import { readIndexSpec, type IndexSpec } from '../index-spec.ts';
import { JsonError } from '../../bson/json/json-error.ts';
import { JsonToBson } from '../../bson/json/json-to-bson.ts';
import { findField, listDocuments } from '../../bson/cursor.ts';

export interface DumpMetadata {
  /** Null in dumps of an old mongodump. */
  readonly collectionName: string | null;
  /** As in `listCollections`. */
  readonly type: string;
  /** The options with which the collection was created. */
  readonly options: Document;
  readonly indexes: readonly IndexSpec[];
}

export const noMetadata: DumpMetadata = {
  collectionName: null,
  type: 'collection',
  options: {},
  indexes: [],
};

/**
 * @param place names the text in the message
 * @throws SourceError
 */
export function parseMetadata(json: Buffer, place: string): DumpMetadata {
  const document = convert(json, place);
  const { collectionName, options = {}, type } = deserialize(document);
  return {
    collectionName: typeof collectionName === 'string' ? collectionName : null,
    type: typeOf(options as Document, type),
    options: options as Document,
    indexes: readIndexes(document),
  };
}

/** Whether text is compared by a language's rules, not by its bytes. */
export function hasCollation({ options }: DumpMetadata): boolean {
  const { collation } = options as { readonly collation?: { readonly locale?: unknown } };
  return collation !== undefined && collation.locale !== 'simple';
}

/** Reads the indexes from BSON bytes, because a JavaScript object would put a field called `1` first. */
function readIndexes(document: Buffer): IndexSpec[] {
  const indexes = findField(document, 'indexes');
  if (indexes?.type !== bsonTypes.array) return [];
  return listDocuments(document.subarray(indexes.valueStart, indexes.valueEnd)).map(readIndexSpec);
}

/** The options show the type in dumps of all versions. A view that was dumped as a collection has no such options. */
function typeOf(options: Document, type: unknown): string {
  if (type === 'timeseries' || options.timeseries !== undefined) return 'timeseries';
  return options.viewOn === undefined ? 'collection' : 'view';
}

function convert(json: Buffer, place: string): Buffer {
  try {
    return new JsonToBson().convert(json);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new SourceError(
      `${place} is not the metadata of a collection: ${error.message} (byte ${error.offset})`,
      {
        code: 'DUMP_METADATA',
        fix: 'correct it, or move it away: the documents can be copied without their indexes.',
        cause: error,
      },
    );
  }
}
