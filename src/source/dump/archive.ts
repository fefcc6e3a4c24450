/**
 * Archives of mongodump: many collections in one stream, in interleaved blocks.
 * https://github.com/mongodb/mongo-tools/blob/master/common/archive/spec.md
 *
 *   magic · header · metadata of each collection · terminator · blocks
 *   a block: {db, collection, EOF, CRC} · documents · terminator
 *
 * Offsets count bytes of the stream. The stream is always read from its beginning, because only that shows which block an
 * offset is in, and because the checksum covers all documents.
 */

import { BSONError, deserialize, type Document } from 'bson';
import { DamagedDumpError } from '../../common/errors.ts';
import { formatCount } from '../../common/format.ts';
import { awaitDocument, describeDamage, fillOrEnd, skipWhole, takeWhole } from './bson-records.ts';
import { ByteWindow } from './byte-window.ts';
import { makeAgain, readChunks, type DumpFile } from './bytes.ts';
import { Crc64 } from './crc64.ts';
import type { DumpRecords } from './record.ts';

export const archiveMagic = Buffer.of(0x6d, 0xe2, 0x99, 0x81);
const terminator = -1;
const terminatorBytes = 4;

export interface ArchivedCollection {
  readonly db: string;
  readonly collection: string;
  /** In the format of `*.metadata.json`; empty if there is none. */
  readonly metadata: string;
  readonly type: string;
  /** In bytes; 0 if the archive does not have it. */
  readonly size: number;
}

/** @throws DamagedDumpError */
export async function listArchive(file: DumpFile): Promise<ArchivedCollection[]> {
  const window = new ByteWindow(readChunks(file, 0), 0);
  try {
    return await readPrelude(window, file.path);
  } finally {
    await window.close();
  }
}

/**
 * The documents of one collection that end after the offset `after`.
 * @throws DamagedDumpError, for a wrong checksum after all documents were yielded
 */
export async function* readArchiveRecords(
  file: DumpFile,
  wanted: { readonly db: string; readonly collection: string },
  after: number,
): DumpRecords {
  const { path } = file;
  const window = new ByteWindow(readChunks(file, 0), 0);
  const checksum = new Crc64();
  try {
    await readPrelude(window, path);
    for (;;) {
      const header = await readHeader(window, path, wanted);
      const isWanted = header.db === wanted.db && header.collection === wanted.collection;
      if (isWanted && header.EOF === true) {
        const { offset } = window;
        const hasMore = await awaitAnother(window, path);
        const problem = hasMore ? 'has documents after its end' : 'does not match its checksum';
        if (!hasMore && header.CRC === checksum.value) return;
        throw describeDamage(path, offset, `${wanted.db}.${wanted.collection} ${problem}`);
      }
      do {
        const { bytes, start } = window;
        if (!isWanted) {
          skipWhole(window);
        } else {
          const records = takeWhole(window);
          checksum.update(bytes.subarray(start, window.start));
          const left = records.filter(({ end }) => end > after);
          if (left.length > 0) yield left;
        }
      } while (await awaitAnother(window, path));
    }
  } finally {
    await window.close();
  }
}

async function readPrelude(window: ByteWindow, path: string): Promise<ArchivedCollection[]> {
  const hasMagic = await window.fill(archiveMagic.byteLength);
  if (!hasMagic || !window.bytes.subarray(0, archiveMagic.byteLength).equals(archiveMagic)) {
    throw describeDamage(path, 0, 'it does not start like a mongodump archive');
  }
  window.start += archiveMagic.byteLength;
  const { version } = await readDocument(window, path);
  if (version !== '0.1') {
    throw describeDamage(
      path,
      archiveMagic.byteLength,
      `archive version ${String(version)} is not supported`,
    );
  }
  const collections: ArchivedCollection[] = [];
  while (await awaitAnother(window, path)) {
    const { db, collection, metadata, type, size } = await readDocument(window, path);
    collections.push({
      db: textOf(db),
      collection: textOf(collection),
      metadata: textOf(metadata),
      type: textOf(type),
      size: Number(size ?? 0),
    });
  }
  return collections;
}

/** Whether another document follows. If not, the terminator is consumed. */
async function awaitAnother(window: ByteWindow, path: string): Promise<boolean> {
  const isThere = await fillOrEnd(window, terminatorBytes, path);
  if (isThere && window.bytes.readInt32LE(window.start) === terminator) {
    window.start += terminatorBytes;
    return false;
  }
  if (isThere && (await awaitDocument(window, path))) return true;
  throw cutOff(window, path, 'within a block');
}

async function readHeader(
  window: ByteWindow,
  path: string,
  { db, collection }: { readonly db: string; readonly collection: string },
): Promise<Document> {
  if (await awaitDocument(window, path)) return await readDocument(window, path);
  throw cutOff(window, path, `before the end of ${db}.${collection}`);
}

async function readDocument(window: ByteWindow, path: string): Promise<Document> {
  if (!(await awaitDocument(window, path))) throw cutOff(window, path, 'where a document should be');
  const { bytes, start, offset } = window;
  const end = start + bytes.readInt32LE(start);
  window.start = end;
  try {
    return deserialize(bytes.subarray(start, end), { useBigInt64: true });
  } catch (error) {
    if (error instanceof BSONError) throw describeDamage(path, offset, error.message);
    throw error;
  }
}

function cutOff(window: ByteWindow, path: string, where: string): DamagedDumpError {
  return new DamagedDumpError(`${path} is cut off at byte ${formatCount(window.offset)}, ${where}`, {
    code: 'DUMP_CUT_OFF',
    fix: makeAgain,
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
