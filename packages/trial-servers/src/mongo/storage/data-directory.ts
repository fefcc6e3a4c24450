/**
 * Keeps collections as files: `<dataDir>/<database>/<collection>.bson`, documents one after another, as mongodump
 * writes them, and beside it `<collection>.metadata.json` with the other properties of the collection.
 *
 * Writes are synchronous and reach the operating system before the reply is sent: they outlive the process, however
 * it ends, but not a power failure.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';
import { SourceError } from '../../../../../src/common/errors.ts';
import { readInt32 } from '../../../../../src/bson/raw-value.ts';
import { QueryError } from '../../../../../src/bson/match/errors.ts';
import { CommandError, ErrorCode } from '../errors.ts';
import { createMetadata, readMetadata, writeMetadata } from './metadata.ts';
import type { Metadata } from './metadata.ts';
import type { Run, RunList } from './runs.ts';
import { maxDocumentBytes } from './stored-document.ts';

const suffix = '.bson';
const metadataSuffix = '.metadata.json';
const lockName = 'embedded-mongo.lock';
const journalName = 'embedded-mongo.oplog';
/** The longest file name on the usual file systems. */
const maxFileNameBytes = 255;
/** Large enough for few system calls, small enough to be no burden; a larger document gets a larger buffer. */
const readBufferBytes = 2 ** 22;
/** IOV_MAX on Linux. */
const maxBuffersPerWrite = 1024;

/** The file of one collection. */
export class CollectionFile {
  /** Read or created when it was opened. */
  readonly metadata: Metadata;
  #name: string;
  #path: string;
  #metadataPath: string;
  /** Whether the file lacks changes that the journal has: then documents are added only by rewriting it. */
  isBehind = false;
  #fd: number;
  #size: number;

  /** Creates the collection `name` at `<base>.bson`, with these settings, when it is not there. */
  constructor(base: string, name: string, settings: Partial<Metadata>) {
    this.#name = name;
    this.#path = base + suffix;
    this.#metadataPath = base + metadataSuffix;
    // Metadata without documents are left by an interrupted drop: the next collection of the name is another one.
    const known = existsSync(this.#path) ? readMetadata(this.#metadataPath) : settings;
    this.metadata = createMetadata(known);
    if (known.uuid === undefined) {
      this.saveMetadata(this.metadata);
    }
    this.#fd = openSync(this.#path, 'a+');
    this.#size = fstatSync(this.#fd).size;
  }

  saveMetadata(metadata: Metadata): void {
    writeMetadata(this.#metadataPath, this.#name, metadata);
  }

  /** Adds documents at the end: all of them, or, when that fails, none. */
  append(documents: RunList): void {
    try {
      writeAll(this.#fd, buffersOf(documents.runs));
      this.#size += documents.totalBytes;
    } catch (error) {
      ftruncateSync(this.#fd, this.#size);
      throw error;
    }
  }

  /** Replaces all documents, so that the file is at any moment the old one or the new one. */
  rewrite(documents: RunList): void {
    const temporaryPath = `${this.#path}.tmp`;
    const fd = openSync(temporaryPath, 'w');
    try {
      writeAll(fd, buffersOf(documents.runs));
    } finally {
      closeSync(fd);
    }
    renameSync(temporaryPath, this.#path);
    closeSync(this.#fd);
    this.#fd = openSync(this.#path, 'a+');
    this.#size = documents.totalBytes;
    this.isBehind = false;
  }

  /**
   * Passes each document as [start, end) of a buffer that is valid during the call, to be checked there. A last
   * document that is truncated, as a crash during a write leaves it, is removed from the file; returns the bytes removed.
   */
  load(insert: (bytes: Buffer, start: number, end: number) => void): number {
    let buffer = Buffer.allocUnsafe(Math.min(readBufferBytes, Math.max(this.#size, 16)));
    let filled = 0;
    let position = 0;
    for (;;) {
      const read = readSync(this.#fd, buffer, filled, buffer.length - filled, position + filled);
      filled += read;
      let offset = 0;
      while (filled - offset >= 4) {
        const length = readInt32(buffer, offset);
        if (length < 5 || length > maxDocumentBytes) {
          throw this.#damaged(position + offset, 'a document has an impossible length');
        }
        if (filled - offset < length) {
          break;
        }
        try {
          insert(buffer, offset, offset + length);
        } catch (error) {
          throw error instanceof QueryError ? this.#damaged(position + offset, error.message) : error;
        }
        offset += length;
      }
      const needed = filled - offset >= 4 ? readInt32(buffer, offset) : 4;
      if (read === 0) {
        const tornBytes = filled - offset;
        this.#size = position + offset;
        ftruncateSync(this.#fd, this.#size);
        return tornBytes;
      }
      const next = needed > buffer.length ? Buffer.allocUnsafe(needed) : buffer;
      buffer.copy(next, 0, offset, filled);
      buffer = next;
      position += offset;
      filled -= offset;
    }
  }

  /** Calls it `name`, at `<base>.bson`, where nothing may be; it stays the same collection. */
  rename(base: string, name: string, metadata: Metadata): void {
    const [path, metadataPath] = [this.#path, this.#metadataPath];
    this.#name = name;
    this.#path = base + suffix;
    this.#metadataPath = base + metadataSuffix;
    // In this order no crash leaves documents without their metadata.
    this.saveMetadata(metadata);
    renameSync(path, this.#path);
    rmSync(metadataPath, { force: true });
  }

  remove(): void {
    closeSync(this.#fd);
    unlinkSync(this.#path);
    rmSync(this.#metadataPath, { force: true });
  }

  close(): void {
    closeSync(this.#fd);
  }

  #damaged(offset: number, problem: string): SourceError {
    return new SourceError(`${this.#path} is damaged at byte ${offset}: ${problem}`, {
      code: 'EMBEDDED_DATA_DAMAGED',
      fix: 'Restore the file, or delete it and seed again.',
    });
  }
}

/** The directory of all databases, held by one server at a time. */
export class DataDirectory {
  readonly #path: string;
  readonly #lockPath: string;

  constructor(path: string) {
    this.#path = path;
    this.#lockPath = join(path, lockName);
    mkdirSync(path, { recursive: true });
    lock(this.#lockPath);
  }

  /** Lets another server have the directory. */
  close(): void {
    rmSync(this.#lockPath, { force: true });
  }

  /** Where the journal is kept: no database has such a name. */
  get journalPath(): string {
    return join(this.#path, journalName);
  }

  /** Creates the collection's file with these settings, or opens it when it is there. */
  open(database: string, collection: string, settings: Partial<Metadata>): CollectionFile {
    return new CollectionFile(this.#baseOf(database, collection), collection, settings);
  }

  rename(file: CollectionFile, database: string, collection: string, metadata: Metadata): void {
    file.rename(this.#baseOf(database, collection), collection, metadata);
  }

  /** The path of a collection's files, without their suffixes; the directory is made. */
  #baseOf(database: string, collection: string): string {
    const fileName = escapeName(collection);
    if (fileName.length + metadataSuffix.length > maxFileNameBytes) {
      throw new CommandError(
        ErrorCode.invalidNamespace,
        `the collection's name is too long for a file name: ${collection}`,
      );
    }
    const directory = join(this.#path, escapeName(database));
    mkdirSync(directory, { recursive: true });
    return join(directory, fileName);
  }

  /** Removes the database's directory unless something is left in it. */
  removeDatabase(database: string): void {
    try {
      rmdirSync(join(this.#path, escapeName(database)));
    } catch (error) {
      // Files of others stay, and so does their directory.
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) {
        throw error;
      }
    }
  }

  /** Which collections there are. */
  list(): { database: string; collection: string }[] {
    return readdirSync(this.#path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== journalName)
      .flatMap((directory) =>
        readdirSync(join(this.#path, directory.name))
          .filter((name) => name.endsWith(suffix))
          .map((name) => ({
            database: decodeURIComponent(directory.name),
            collection: decodeURIComponent(name.slice(0, -suffix.length)),
          })),
      );
  }
}

/**
 * A name as a file name, percent-encoded as mongodump does it, and capitals too: `Users` and `users` are two
 * collections, but one file on macOS and Windows.
 */
function escapeName(name: string): string {
  return encodeURIComponent(name).replaceAll(/%[0-9A-F]{2}|[A-Z*'()!~]/g, (found) =>
    found.length === 3
      ? found
      : `%${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** Takes the lock, also one that a killed process has left; the process's id is in it. */
function lock(path: string): void {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
  }
  const owner = Number(readFileSync(path, 'utf8'));
  if (isRunning(owner)) {
    throw new SourceError(`process ${owner} is using the data directory of ${path}`, {
      code: 'EMBEDDED_DATA_IN_USE',
      fix: `Stop it, or delete ${path} if that process is not mongo2pg.`,
    });
  }
  writeFileSync(path, String(process.pid));
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) {
    return false;
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Without permission to signal it, it is running nevertheless.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function buffersOf(runs: readonly Run[]): Buffer[] {
  return runs.map(({ bytes, start, length }) => bytes.subarray(start, start + length));
}

export function writeAll(fd: number, pieces: readonly Buffer[]): void {
  for (let first = 0; first < pieces.length; first += maxBuffersPerWrite) {
    let buffers = pieces.slice(first, first + maxBuffersPerWrite);
    while (buffers.length > 0) {
      buffers = dropWritten(buffers, writevSync(fd, buffers));
    }
  }
}

/** The rest of a partial write. */
function dropWritten(buffers: Buffer[], writtenBytes: number): Buffer[] {
  let rest = writtenBytes;
  for (const [index, buffer] of buffers.entries()) {
    if (rest < buffer.length) {
      return [buffer.subarray(rest), ...buffers.slice(index + 1)];
    }
    rest -= buffer.length;
  }
  return [];
}
