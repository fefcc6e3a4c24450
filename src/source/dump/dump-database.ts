/** A dump as a database: a file, a folder or an archive, and its collections. */

import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SourceError } from '../../common/errors.ts';
import { namesSeveral, findObstacle, type CollectionInfo } from '../../config/collection-choice.ts';
import type { Database } from '../database.ts';
import type { Source } from '../source.ts';
import { archiveMagic, listArchive } from './archive.ts';
import { explainFileError, readStart, type DumpFile } from './bytes.ts';
import { listDatabaseFolders, listDirectory, openFile } from './dump-directory.ts';
import { openDumpSource } from './dump-source.ts';
import { archivedCollection, type DumpedCollection } from './dumped-collection.ts';
import { readFileName } from '../../config/dump-file-name.ts';
import { noMetadata, parseMetadata } from './metadata.ts';

export interface DumpOptions {
  readonly path: string;
  /** The database; empty for the name in the dump. */
  readonly db: string;
  /** Names the collection of a single file. For a dump of several, collections are chosen later. */
  readonly collection: string;
  /** Ends reading; its reason is thrown. */
  readonly signal?: AbortSignal;
}

/** @throws SourceError that says what to do */
export async function openDump({ path, db, collection, signal }: DumpOptions): Promise<Database> {
  const info = await stat(path).catch((error: unknown) => {
    throw explainFileError(error, path);
  });
  if (info.isDirectory()) return await openFolder(path, db, signal);
  if (!info.isFile()) {
    throw new SourceError(`the dump ${path} is neither a file nor a folder`, {
      code: 'DUMP_UNREADABLE',
      fix: 'save the dump as a file: a pipe cannot be read again to resume a run.',
    });
  }
  if (readFileName(path) !== null) {
    const name = namesSeveral(collection) ? null : collection;
    return new DumpDatabase(db || basename(dirname(path)), [await openFile(path, name, signal)]);
  }
  return await openArchive(path, db, signal);
}

class DumpDatabase implements Database {
  readonly name: string;
  readonly #collections: readonly DumpedCollection[];

  constructor(name: string, collections: readonly DumpedCollection[]) {
    this.name = name;
    this.#collections = collections;
    requireDistinct(collections);
  }

  listCollections(): Promise<CollectionInfo[]> {
    return Promise.resolve([...this.#collections]);
  }

  async open(collection: string, filter?: Uint8Array): Promise<Source> {
    const found = this.#collections.find(({ name }) => name === collection);
    if (found === undefined) {
      const names = this.#collections.map(({ name }) => name).sort();
      throw new SourceError(`the dump has no collection ${this.name}.${collection}`, {
        code: 'COLLECTION_MISSING',
        fix: `set MONGO_COLLECTION to one of: ${names.join(', ')}.`,
      });
    }
    const reason = findObstacle(found);
    if (reason !== null) {
      throw new SourceError(`${this.name}.${collection} cannot be copied: it is ${reason}`, {
        code: 'COLLECTION_NOT_COPYABLE',
      });
    }
    return await openDumpSource(this.name, found, filter);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function openFolder(path: string, db: string, signal?: AbortSignal): Promise<Database> {
  const databases = await listDatabaseFolders(path);
  if (databases.length === 0) {
    return requireCollections(
      path,
      new DumpDatabase(db || basename(path), await listDirectory(path, signal)),
    );
  }
  const name = chooseDatabase(path, databases, db);
  return new DumpDatabase(name, await listDirectory(join(path, name), signal));
}

async function openArchive(path: string, db: string, signal?: AbortSignal): Promise<Database> {
  const file = await recogniseArchive(path, signal);
  const all = await listArchive(file);
  // Without users, roles and the oplog, which are dumped together with the databases.
  const own = all.filter((entry) => entry.db !== '' && !entry.collection.startsWith('$admin.'));
  const name = chooseDatabase(path, [...new Set(own.map((entry) => entry.db))], db);
  const collections = own
    .filter((entry) => entry.db === name)
    .map(({ collection, metadata, type, size }) => {
      const place = `${path}: ${name}.${collection}`;
      const known = metadata === '' ? noMetadata : parseMetadata(Buffer.from(metadata), place);
      const typed = type === 'timeseries' ? { ...known, type } : known;
      const description = { name: collection, bytes: size, file, metadata: typed };
      return archivedCollection(description, { db: name, collection });
    });
  return new DumpDatabase(name, collections);
}

async function recogniseArchive(path: string, signal?: AbortSignal): Promise<DumpFile> {
  for (const isGzip of [false, true]) {
    const file = { path, isGzip, signal };
    const start = await readStart(file, archiveMagic.byteLength).catch((error: unknown) => {
      if (isGzip) return Buffer.alloc(0);
      throw error;
    });
    if (start.equals(archiveMagic)) return file;
  }
  throw new SourceError(
    `the dump ${path} is not a mongodump archive, and its name does not show its format`,
    {
      code: 'DUMP_FORMAT_UNKNOWN',
      fix: 'use the suffix .bson for BSON and .json for JSON, with .gz after it for gzip.',
    },
  );
}

const ownDatabases = ['admin', 'config', 'local'];

function chooseDatabase(path: string, names: readonly string[], wanted: string): string {
  const others = names.filter((name) => !ownDatabases.includes(name));
  const [only] = others;
  if (wanted !== '' && names.includes(wanted)) return wanted;
  if (wanted === '' && only !== undefined && others.length === 1) return only;
  const problem = wanted === '' ? `has ${others.length} databases` : `has no database ${wanted}`;
  throw new SourceError(`the dump ${path} ${problem}`, {
    code: 'DATABASE_MISSING',
    fix: names.length === 0 ? 'correct SOURCE.' : `set MONGO_DB to one of: ${[...names].sort().join(', ')}.`,
  });
}

async function requireCollections(path: string, database: DumpDatabase): Promise<Database> {
  if ((await database.listCollections()).length > 0) return database;
  throw new SourceError(`the folder ${path} has no collections`, {
    code: 'DUMP_WITHOUT_COLLECTIONS',
    fix: 'correct SOURCE: a folder of mongodump has files such as users.bson, or folders with such files.',
  });
}

/** If there are both `users.bson` and `users.bson.gz`, it is unknown which one to copy. */
function requireDistinct(collections: readonly DumpedCollection[]): void {
  for (const [index, { name, file }] of collections.entries()) {
    const same = collections.slice(0, index).find((other) => other.name === name);
    if (same === undefined) continue;
    throw new SourceError(`the dump has the collection ${name} twice: ${same.file.path} and ${file.path}`, {
      code: 'DUMP_COLLECTION_TWICE',
      fix: 'move one of them away, or name a single file as SOURCE.',
    });
  }
}
