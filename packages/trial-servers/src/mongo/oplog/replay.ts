/** Applies the journal to the collections, after an unclean shutdown. */
import { readInt32 } from '../../../../../src/bson/raw-value.ts';
import type { StoredCollection } from '../storage/stored-collection.ts';
import type { Collection } from '../storage/collection.ts';
import { idTypeOffset, idValueOffset } from '../storage/id-index.ts';
import type { OplogEntry } from './entry.ts';
import type { JournaledEntry } from './record.ts';

/** What a journal can change beside documents. */
export interface ReplayedCatalog {
  /** The collection with this UUID. */
  findByUuid(uuid: Buffer | undefined): StoredCollection | undefined;
  drop(database: string, name: string): boolean;
  rename(stored: StoredCollection, name: string): void;
}

/** @returns the collections whose documents are not what their files hold any more */
export function replay(catalog: ReplayedCatalog, pending: readonly JournaledEntry[]): Set<StoredCollection> {
  const changed = new Set<StoredCollection>();
  for (const [index, { entry, after }] of pending.entries()) {
    const stored = catalog.findByUuid(entry.place.uuid);
    // A missing one was dropped later.
    if (stored === undefined) {
      continue;
    }
    // Only the last record may be of something that was not done: each is done before the next is written.
    if (index === pending.length - 1) {
      changeCatalog(catalog, stored, entry);
    }
    if (changeDocuments(stored.documents, entry, after)) {
      changed.add(stored);
    }
  }
  return new Set([...changed].filter((stored) => !stored.documents.isDropped));
}

/** Whether it is about documents. */
function changeDocuments(
  documents: Collection,
  { kind, bytes, start, length }: OplogEntry,
  after: Buffer | undefined,
): boolean {
  switch (kind) {
    case 'insert':
      for (let offset = start; offset < start + length; offset += readInt32(bytes, offset)) {
        put(documents, bytes, offset, offset + readInt32(bytes, offset));
      }
      return true;
    case 'replace':
      put(documents, bytes, start, start + length);
      return true;
    case 'update':
      if (after !== undefined) {
        put(documents, after, 0, after.length);
      }
      return true;
    case 'delete': {
      const address = documents.find(bytes[start + idTypeOffset] ?? 0, bytes, start + idValueOffset);
      documents.remove(address === undefined ? [] : [address]);
      return true;
    }
    case 'create':
    case 'createIndexes':
    case 'dropIndexes':
    case 'modify':
    case 'rename':
    case 'drop':
    case 'dropDatabase':
    case 'noop':
      return false;
  }
}

function changeCatalog(catalog: ReplayedCatalog, stored: StoredCollection, { kind, to }: OplogEntry): void {
  const { database, collection } = stored.place;
  if (kind === 'drop') {
    catalog.drop(database, collection);
  } else if (kind === 'rename' && to !== undefined && to.collection !== collection) {
    catalog.drop(database, to.collection);
    catalog.rename(stored, to.collection);
  }
}

function put(documents: Collection, bytes: Buffer, start: number, end: number): void {
  if (!documents.insert(bytes, start, end)) {
    documents.replace([bytes.subarray(start, end)]);
  }
}
