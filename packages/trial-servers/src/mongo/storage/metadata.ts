/**
 * The file `<collection>.metadata.json` as mongodump writes it beside the documents: which kind of collection it is,
 * what it was created with, its indexes and its UUID.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { BSONError, EJSON, UUID } from 'bson';
import { hasCode } from '../../../../../src/common/fs-errors.ts';

/** A document as it came, with the types of its values kept. Names that are numbers come first, as JavaScript has it. */
export type KeptDocument = Record<string, unknown>;

const collectionTypes = ['collection', 'view', 'timeseries'] as const;
export type CollectionType = (typeof collectionTypes)[number];

export interface Metadata {
  /** The collection's identity: another one when it is dropped and recreated. */
  readonly uuid: UUID;
  readonly type: CollectionType;
  /** The options of its creation, as listCollections returns them. */
  readonly options: KeptDocument;
  /** As listIndexes returns them, the one of `_id` first. */
  readonly indexes: readonly KeptDocument[];
}

export const idIndex: KeptDocument = { v: 2, key: { _id: 1 }, name: '_id_' };

/** With the collation that the index has from its collection. */
export function idIndexOf({ collation }: KeptDocument): KeptDocument {
  return collation === undefined ? idIndex : { ...idIndex, collation };
}

/** What a collection has of which nothing else is said. */
export function createMetadata(settings: Partial<Metadata> = {}): Metadata {
  const indexes = [idIndexOf(settings.options ?? {})];
  return { uuid: new UUID(), type: 'collection', options: {}, indexes, ...settings };
}

/** The file is at any moment the old one or the new one. */
export function writeMetadata(path: string, collectionName: string, metadata: Metadata): void {
  const { uuid, type, options, indexes } = metadata;
  const kept = { options, indexes, uuid: uuid.toHexString(false), collectionName, type };
  writeFileSync(`${path}.tmp`, EJSON.stringify(kept, { relaxed: false }));
  renameSync(`${path}.tmp`, path);
}

/** The content of the file: empty if there is none, partial if it is torn or an older program wrote it. */
export function readMetadata(path: string): Partial<Metadata> {
  const kept = readKept(path);
  const { uuid, type, options, indexes } = kept;
  const knownType = collectionTypes.find((known) => known === type);
  return {
    ...(typeof uuid === 'string' && UUID.isValid(uuid) ? { uuid: new UUID(uuid) } : {}),
    ...(knownType === undefined ? {} : { type: knownType }),
    ...(isDocument(options) ? { options } : {}),
    ...(Array.isArray(indexes) && indexes.length > 0 && indexes.every(isDocument) ? { indexes } : {}),
  };
}

function readKept(path: string): KeptDocument {
  try {
    const kept: unknown = EJSON.parse(readFileSync(path, 'utf8'), { relaxed: false });
    return isDocument(kept) ? kept : {};
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof BSONError || hasCode(error, 'ENOENT')) return {};
    throw error;
  }
}

export function isDocument(value: unknown): value is KeptDocument {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !('_bsontype' in value);
}
