/** A collection in a dump, of any format. */

import type { CollectionInfo } from '../../config/collection-choice.ts';
import { readBsonRecords } from './bson-records.ts';
import type { DumpFile } from './bytes.ts';
import { readArchiveRecords } from './archive.ts';
import { readJsonDocuments, readJsonRecords } from './json-records.ts';
import { JsonToBson } from '../../bson/json/json-to-bson.ts';
import type { DocumentFilter } from '../../bson/match/document-filter.ts';
import type { DumpMetadata } from './metadata.ts';
import type { DumpRecords } from './record.ts';

export interface DumpedCollection extends CollectionInfo {
  readonly file: DumpFile;
  readonly metadata: DumpMetadata;
  /** All records that end after the offset, in the dump's format; of a filtered collection, in BSON. */
  records(after: number): DumpRecords;
  /** The same records in BSON. */
  documents(after: number): DumpRecords;
  /** @throws JsonError */
  toBson(record: Buffer): Buffer;
}

type Description = Pick<DumpedCollection, 'name' | 'bytes' | 'file' | 'metadata'>;

export function bsonCollection(description: Description): DumpedCollection {
  const records = (after: number): DumpRecords => readBsonRecords(description.file, after);
  return create(description, { records, documents: records, toBson: (record) => record });
}

export function archivedCollection(
  description: Description,
  wanted: { readonly db: string; readonly collection: string },
): DumpedCollection {
  const records = (after: number): DumpRecords => readArchiveRecords(description.file, wanted, after);
  return create(description, { records, documents: records, toBson: (record) => record });
}

export function jsonCollection(description: Description): DumpedCollection {
  const converter = new JsonToBson();
  return create(description, {
    records: (after) => readJsonRecords(description.file, after),
    documents: (after) => readJsonDocuments(description.file, after),
    toBson: (record) => converter.convert(record),
  });
}

/** The collection with matching documents only. */
export function filterCollection(collection: DumpedCollection, filter: DocumentFilter): DumpedCollection {
  const documents = (after: number): DumpRecords => select(collection.documents(after), filter);
  return { ...collection, records: documents, documents, toBson: (document) => document };
}

async function* select(all: DumpRecords, filter: DocumentFilter): DumpRecords {
  for await (const records of all) {
    const found = records.filter(({ bytes }) => filter(bytes));
    if (found.length > 0) yield found;
  }
}

function create(
  description: Description,
  format: Pick<DumpedCollection, 'records' | 'documents' | 'toBson'>,
): DumpedCollection {
  return { ...description, type: description.metadata.type, ...format };
}
