/** Reads consecutive BSON documents, as mongodump writes them. Each length is checked before it is used. */

import { DamagedDumpError } from '../../common/errors.ts';
import { formatCount } from '../../common/format.ts';
import { ByteWindow } from './byte-window.ts';
import { makeAgain, readChunks, type DumpFile } from './bytes.ts';
import type { DumpRecord, DumpRecords } from './record.ts';

const minDocumentBytes = 5;
/** The limit of MongoDB: 16 MB for a user's document, plus 16 kB for internal purposes. */
const maxDocumentBytes = 16 * 1024 * 1024 + 16 * 1024;

/** @param from the offset at which a document begins */
export async function* readBsonRecords(file: DumpFile, from: number): DumpRecords {
  const window = new ByteWindow(readChunks(file, from), from);
  try {
    for (;;) {
      const records = takeWhole(window);
      if (records.length > 0) yield records;
      if (!(await awaitDocument(window, file.path))) return;
    }
  } finally {
    await window.close();
  }
}

/** Takes all complete documents from the window. Stops at one that is incomplete or invalid. */
export function takeWhole(window: ByteWindow): DumpRecord[] {
  const { bytes } = window;
  const records: DumpRecord[] = [];
  for (let end = endOfWhole(window); end > 0; end = endOfWhole(window)) {
    records.push({ bytes: bytes.subarray(window.start, end), end: window.offsetOf(end) });
    window.start = end;
  }
  return records;
}

/** Skips the documents that `takeWhole` would take. */
export function skipWhole(window: ByteWindow): void {
  for (let end = endOfWhole(window); end > 0; end = endOfWhole(window)) window.start = end;
}

/** The end of the next document; 0 if it is incomplete or invalid. */
function endOfWhole({ bytes, start }: ByteWindow): number {
  if (bytes.byteLength - start < minDocumentBytes) return 0;
  const length = bytes.readInt32LE(start);
  const end = start + length;
  const isWhole = length >= minDocumentBytes && length <= maxDocumentBytes && end <= bytes.byteLength;
  return isWhole && bytes[end - 1] === 0 ? end : 0;
}

/**
 * Waits until the window contains the whole next document.
 * @returns false at the end of the file
 * @throws DamagedDumpError
 */
export async function awaitDocument(window: ByteWindow, path: string): Promise<boolean> {
  if (!(await fillOrEnd(window, 4, path))) return false;
  const length = window.bytes.readInt32LE(window.start);
  if (length < minDocumentBytes || length > maxDocumentBytes) {
    throw describeDamage(path, window.offset, `${formatCount(length)} is not a valid length of a document`);
  }
  await fillOrEnd(window, length, path);
  if (window.bytes[window.start + length - 1] === 0) return true;
  throw describeDamage(path, window.offset, `a document of ${formatCount(length)} bytes has no terminator`);
}

/** @returns false at the end of the file @throws DamagedDumpError if fewer than `count` bytes are left */
export async function fillOrEnd(window: ByteWindow, count: number, path: string): Promise<boolean> {
  if (await window.fill(count)) return true;
  if (window.available === 0) return false;
  const { offset, available } = window;
  throw new DamagedDumpError(
    `${path} is cut off at byte ${formatCount(offset + available)}, within the document that begins at byte ${formatCount(offset)}`,
    { code: 'DUMP_CUT_OFF', fix: makeAgain },
  );
}

export function describeDamage(path: string, offset: number, problem: string): DamagedDumpError {
  return new DamagedDumpError(`${path} is corrupt at byte ${formatCount(offset)}: ${problem}`, {
    code: 'DUMP_CORRUPT',
    fix: makeAgain,
  });
}
