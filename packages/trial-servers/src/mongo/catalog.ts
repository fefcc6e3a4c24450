/** Which databases and collections there are, in memory and, with a data directory, in files. */
import type { UUID } from 'bson';
import { orderOf } from './query/collation.ts';
import { Collection } from './storage/collection.ts';
import { CommandError, ErrorCode } from './errors.ts';
import { createMetadata } from './storage/metadata.ts';
import type { Metadata } from './storage/metadata.ts';
import { Journal } from './oplog/journal.ts';
import type { JournalContents } from './oplog/journal.ts';
import type { JournaledEntry } from './oplog/record.ts';
import { replay } from './oplog/replay.ts';
import { DataDirectory } from './storage/data-directory.ts';
import { areImagesKept } from './storage/stored-collection.ts';
import type { StoredCollection } from './storage/stored-collection.ts';
import { prepareDocument } from './storage/stored-document.ts';

export class Catalog {
  readonly #databases = new Map<string, Map<string, StoredCollection>>();
  readonly #byUuid = new Map<string, StoredCollection>();
  readonly #directory: DataDirectory | undefined;
  /** Of all writes; undefined when nothing is to be kept. */
  readonly journal: Journal | undefined;
  /** The history of earlier servers in the journal. */
  readonly history: Pick<JournalContents, 'history' | 'last'>;

  /** Loads the data directory; `warn` is called with what a crash truncated. */
  constructor(dataDir: string | undefined, warn: (message: string) => void, journalBytes: number) {
    if (dataDir === undefined) {
      this.history = { history: [], last: 0 };
      return;
    }
    this.#directory = new DataDirectory(dataDir);
    try {
      this.journal = new Journal(this.#directory.journalPath, journalBytes);
      const contents = this.journal.read();
      this.history = contents;
      this.#load(this.#directory, contents.pending, warn);
    } catch (error) {
      this.#closeFiles();
      throw error;
    }
  }

  get(database: string, name: string): StoredCollection | undefined {
    return this.#databases.get(database)?.get(name);
  }

  /** Creates the collection with these settings, or returns the existing one. */
  create(database: string, name: string, settings: Partial<Metadata> = {}): StoredCollection {
    const existing = this.get(database, name);
    if (existing !== undefined) {
      return existing;
    }
    checkNames(database, name);
    const file = this.#directory?.open(database, name, settings);
    const metadata = file?.metadata ?? createMetadata(settings);
    const stored = {
      metadata,
      documents: new Collection(orderOf(metadata)),
      file,
      place: { database, collection: name, uuid: uuidOf(metadata) },
      keepsImages: areImagesKept(metadata),
      majority: undefined,
      isRolledBack: false,
    };
    const collections = this.#databases.get(database) ?? new Map<string, StoredCollection>();
    collections.set(name, stored);
    this.#databases.set(database, collections);
    this.#byUuid.set(keyOf(metadata.uuid), stored);
    return stored;
  }

  /** False when there is no such collection. */
  drop(database: string, name: string): boolean {
    const collections = this.#databases.get(database);
    const stored = collections?.get(name);
    if (collections === undefined || stored === undefined) {
      return false;
    }
    this.journal?.forget(stored);
    stored.file?.remove();
    stored.documents.isDropped = true;
    collections.delete(name);
    this.#byUuid.delete(keyOf(stored.metadata.uuid));
    if (collections.size === 0) {
      this.#databases.delete(database);
      this.#directory?.removeDatabase(database);
    }
    return true;
  }

  /** Gives it another name in the same database, which no other has. */
  rename(stored: StoredCollection, name: string): void {
    const { database, collection } = stored.place;
    checkNames(database, name);
    const collections = this.#databases.get(database);
    if (stored.file !== undefined) {
      this.#directory?.rename(stored.file, database, name, stored.metadata);
    }
    collections?.delete(collection);
    collections?.set(name, stored);
    stored.place = { ...stored.place, collection: name };
  }

  /** The collection with this UUID. */
  findByUuid(uuid: Buffer | undefined): StoredCollection | undefined {
    return uuid && this.#byUuid.get(uuid.toString('hex'));
  }

  *all(): Generator<StoredCollection, void, undefined> {
    for (const collections of this.#databases.values()) {
      yield* collections.values();
    }
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

  /** Brings the files up to date, so that they are what a dump would be, and closes them. */
  close(): void {
    try {
      this.journal?.checkpoint();
    } finally {
      this.#closeFiles();
    }
  }

  #closeFiles(): void {
    this.journal?.close();
    for (const collections of this.#databases.values()) {
      for (const { file } of collections.values()) {
        file?.close();
      }
    }
    this.#databases.clear();
    this.#directory?.close();
  }

  #load(directory: DataDirectory, pending: readonly JournaledEntry[], warn: (message: string) => void): void {
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
    for (const stored of replay(this, pending)) {
      this.journal?.stayBehind(stored);
    }
  }
}

function keyOf(uuid: UUID): string {
  return uuid.toHexString(false);
}

/** Views and time series have none, as far as clients can see. */
function uuidOf({ type, uuid }: Metadata): Buffer | undefined {
  return type === 'collection' ? Buffer.from(uuid.buffer) : undefined;
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
