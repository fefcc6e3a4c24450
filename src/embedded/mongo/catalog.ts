/** Which databases and collections there are, in memory and, with a data directory, in files. */
import { readInt32 } from '../../match/bson-view.ts';
import { Collection } from './collection.ts';
import type { Address } from './document-heap.ts';
import { CommandError, ErrorCode } from './errors.ts';
import { createMetadata } from './metadata.ts';
import type { KeptDocument, Metadata } from './metadata.ts';
import { RunList } from './runs.ts';
import { DataDirectory } from './storage.ts';
import type { CollectionFile } from './storage.ts';
import { prepareDocument } from './stored-document.ts';

/** A collection and its file; the file is undefined when nothing is to be kept. */
export interface StoredCollection {
  metadata: Metadata;
  readonly documents: Collection;
  readonly file: CollectionFile | undefined;
}

export class Catalog {
  readonly #databases = new Map<string, Map<string, StoredCollection>>();
  readonly #directory: DataDirectory | undefined;

  /** Loads what the data directory holds; `warn` is told what a crash cut off. */
  constructor(dataDir: string | undefined, warn: (message: string) => void) {
    if (dataDir === undefined) {
      return;
    }
    this.#directory = new DataDirectory(dataDir);
    try {
      this.#load(this.#directory, warn);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get(database: string, name: string): StoredCollection | undefined {
    return this.#databases.get(database)?.get(name);
  }

  /** Creates the collection with these settings, or returns the one that is there. */
  create(database: string, name: string, settings: Partial<Metadata> = {}): StoredCollection {
    const existing = this.get(database, name);
    if (existing !== undefined) {
      return existing;
    }
    checkNames(database, name);
    const file = this.#directory?.open(database, name, settings);
    const metadata = file?.metadata ?? createMetadata(settings);
    const stored = { metadata, documents: new Collection(), file };
    const collections = this.#databases.get(database) ?? new Map<string, StoredCollection>();
    collections.set(name, stored);
    this.#databases.set(database, collections);
    return stored;
  }

  /** False when there is no such collection. */
  drop(database: string, name: string): boolean {
    const collections = this.#databases.get(database);
    const stored = collections?.get(name);
    if (collections === undefined || stored === undefined) {
      return false;
    }
    stored.file?.remove();
    stored.documents.isDropped = true;
    collections.delete(name);
    if (collections.size === 0) {
      this.#databases.delete(database);
      this.#directory?.removeDatabase(database);
    }
    return true;
  }

  /** Within its database. False when there is no such collection; the name must be free. */
  rename(database: string, name: string, to: string): boolean {
    const collections = this.#databases.get(database);
    const stored = collections?.get(name);
    if (collections === undefined || stored === undefined) {
      return false;
    }
    checkNames(database, to);
    if (stored.file !== undefined) {
      this.#directory?.rename(stored.file, database, to, stored.metadata);
    }
    collections.delete(name);
    collections.set(to, stored);
    return true;
  }

  databaseNames(): string[] {
    return [...this.#databases.keys()].sort();
  }

  collectionNames(database: string): string[] {
    return this.collections(database).map(({ name }) => name);
  }

  /** In the order of their names. */
  collections(database: string): { name: string; metadata: Metadata }[] {
    const entries = [...(this.#databases.get(database) ?? [])];
    return entries
      .map(([name, { metadata }]) => ({ name, metadata }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Bytes of all documents of the database. */
  databaseBytes(database: string): number {
    let total = 0;
    for (const { documents } of this.#databases.get(database)?.values() ?? []) {
      total += documents.dataBytes;
    }
    return total;
  }

  close(): void {
    for (const collections of this.#databases.values()) {
      for (const { file } of collections.values()) {
        file?.close();
      }
    }
    this.#databases.clear();
    this.#directory?.close();
  }

  #load(directory: DataDirectory, warn: (message: string) => void): void {
    for (const { database, collection } of directory.list()) {
      const { documents, file } = this.create(database, collection);
      const tornBytes = file?.load((bytes, start, end) => {
        const prepared = prepareDocument(bytes, start, end);
        if (!documents.insert(prepared.bytes, prepared.start, prepared.end)) {
          throw new CommandError(ErrorCode.duplicateKey, 'a document has the _id of one before it');
        }
      });
      if (tornBytes !== undefined && tornBytes > 0) {
        warn(
          `${database}.${collection}: removed ${tornBytes} bytes of a last document that a crash had cut off; ` +
            `${documents.size} documents are left`,
        );
      }
    }
  }
}

/** In the file first, so that a full disk leaves both as they were. */
export function changeIndexes(stored: StoredCollection, indexes: readonly KeptDocument[]): void {
  const metadata = { ...stored.metadata, indexes };
  stored.file?.saveMetadata(metadata);
  stored.metadata = metadata;
}

/** Removes documents from the file first, then from memory, so that a full disk leaves both as they were. */
export function removeDocuments(stored: StoredCollection, addresses: readonly Address[]): void {
  const { documents, file } = stored;
  if (file !== undefined) {
    const removed = new Set(addresses);
    const kept = new RunList();
    for (const address of documents.scanAddresses()) {
      if (!removed.has(address)) {
        const chunk = documents.chunkOf(address);
        const offset = documents.offsetOf(address);
        kept.add(chunk, offset, readInt32(chunk, offset));
      }
    }
    file.rewrite(kept);
  }
  documents.remove(addresses);
}

/** https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions */
function checkNames(database: string, collection: string): void {
  const namespace = `${database}.${collection}`;
  if (database === '' || Buffer.byteLength(database) > 63 || /[/\\. "$*<>:|?\0]/.test(database)) {
    throw new CommandError(ErrorCode.invalidNamespace, `Invalid database name: '${database}'`);
  }
  if (
    collection === '' ||
    collection.startsWith('.') ||
    collection.endsWith('.') ||
    /[$\0]/.test(collection) ||
    Buffer.byteLength(namespace) > 255
  ) {
    throw new CommandError(ErrorCode.invalidNamespace, `Invalid namespace specified '${namespace}'`);
  }
}
