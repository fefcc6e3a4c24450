/** Finds the collections in a folder of mongodump, or in one with files of mongoexport. */

import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SourceError } from '../../common/errors.ts';
import { explainFileError, readStart, readWhole } from './bytes.ts';
import type { DumpFile } from './bytes.ts';
import { bsonCollection, jsonCollection, type DumpedCollection } from './dumped-collection.ts';
import { readFileName, unescapeName, type DumpFileName } from '../../config/dump-file-name.ts';
import { noMetadata, parseMetadata, type DumpMetadata } from './metadata.ts';

const metadataSuffix = /\.metadata\.json(\.gz)?$/;
const gzipMagic = Buffer.of(0x1f, 0x8b, 0x08);
const noFile: DumpFile = { path: '', isGzip: false };

/** The oplog is beside the folders of databases. */
const oplogFile = /^oplog\.bson(\.gz)?$/;

/** The folders of databases in the folder; none if it is the folder of one database. */
export async function listDatabaseFolders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  if (entries.some(({ name }) => isOfBson(name) && !oplogFile.test(name))) return [];
  const folders: string[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const files = await readdir(join(path, entry.name));
    if (files.some(isOfBson)) folders.push(entry.name);
  }
  return folders;
}

/** All collections of a database's folder, including those without documents in the dump (views). */
export async function listDirectory(path: string, signal?: AbortSignal): Promise<DumpedCollection[]> {
  const files = (await readdir(path)).sort();
  const named = files.filter((file) => readFileName(file) !== null);
  const ofBson = named.filter(isOfBson);
  // If there are BSON files, JSON files may be anything.
  const used = ofBson.length > 0 ? ofBson : named;
  const collections: DumpedCollection[] = [];
  // Without users and roles, which are dumped together with a database.
  for (const file of used.filter((name) => !name.startsWith('$admin.') && !name.startsWith('%24admin.'))) {
    collections.push(await openFile(join(path, file), null, signal));
  }
  const names = new Set(collections.map(({ name }) => name));
  for (const file of files.filter((name) => metadataSuffix.test(name))) {
    const metadata = await readMetadata(join(path, file));
    const name = metadata.collectionName ?? unescapeName(file.replace(metadataSuffix, ''));
    if (names.has(name) || metadata.type === 'collection') continue;
    collections.push(bsonCollection({ name, bytes: 0, file: noFile, metadata }));
  }
  return collections;
}

/** @param name of the collection; null for the name in the dump. @throws SourceError */
export async function openFile(
  path: string,
  name: string | null,
  signal?: AbortSignal,
): Promise<DumpedCollection> {
  const fileName = readFileName(path);
  if (fileName === null) throw new Error(`${path} is not a file of a collection`);
  const metadata = fileName.format === 'bson' ? await findMetadata(path) : noMetadata;
  const ownName = (fileName.isCut ? metadata.collectionName : null) ?? fileName.collection;
  const { size } = await stat(path).catch((error: unknown) => {
    throw explainFileError(error, path);
  });
  if (!fileName.isGzip) await refuseGzip(path, fileName.format, size);
  const file = { path, isGzip: fileName.isGzip, signal };
  const description = { name: name ?? ownName, bytes: size, file, metadata };
  return fileName.format === 'bson' ? bsonCollection(description) : jsonCollection(description);
}

/** The gzip header could also be the length of a BSON document, if the file is large enough for it. */
async function refuseGzip(path: string, format: DumpFileName['format'], size: number): Promise<void> {
  const start = await readStart({ path, isGzip: false }, 4);
  if (!start.subarray(0, 3).equals(gzipMagic)) return;
  if (format === 'bson' && start.byteLength === 4 && start.readUInt32LE() <= size) return;
  throw new SourceError(`the dump ${path} is gzip, but its name does not end in .gz`, {
    code: 'DUMP_GZIP_UNNAMED',
    fix: 'rename it so that its name ends in .gz.',
  });
}

async function findMetadata(path: string): Promise<DumpMetadata> {
  const stem = join(dirname(path), basename(path).replace(/\.bson(\.gz)?$/, ''));
  const found = [`${stem}.metadata.json`, `${stem}.metadata.json.gz`].find((file) => existsSync(file));
  return found === undefined ? noMetadata : await readMetadata(found);
}

async function readMetadata(path: string): Promise<DumpMetadata> {
  return parseMetadata(await readWhole({ path, isGzip: path.endsWith('.gz') }), path);
}

function isOfBson(file: string): boolean {
  return readFileName(file)?.format === 'bson';
}
