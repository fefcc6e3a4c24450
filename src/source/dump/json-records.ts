/** Reads JSON documents of mongoexport: one per line, on several lines each, or in one array. */

import { DamagedDumpError } from '../../common/errors.ts';
import { formatCount } from '../../common/format.ts';
import { ByteWindow } from './byte-window.ts';
import { makeAgain, readChunks, readStart, type DumpFile } from './bytes.ts';
import { JsonError } from '../../bson/json/json-error.ts';
import { ObjectScanner, skipSpace } from '../../bson/json/json-scan.ts';
import { JsonToBson } from '../../bson/json/json-to-bson.ts';
import type { DumpRecord, DumpRecords } from './record.ts';

/** More than any document of 16 MB has as JSON. A limit, so that a text without an end does not fill the memory. */
const maxRecordBytes = 256 * 1024 * 1024;
/** How much is read at a time. */
const stepBytes = 1 << 20;
/** The first character must be within this many bytes. */
const startBytes = 4096;

const byteOrderMark = Buffer.of(0xef, 0xbb, 0xbf);
const [openBrace, openBracket, closeBracket, comma] = [0x7b, 0x5b, 0x5d, 0x2c];

/** @param from the end of a document, or 0 @throws DamagedDumpError */
export async function* readJsonRecords(file: DumpFile, from: number): DumpRecords {
  const { begin, isArray } = await readHead(file);
  const start = Math.max(from, begin);
  const window = new ByteWindow(readChunks(file, start), start);
  const splitter = new Splitter(isArray, from > begin);
  try {
    for (;;) {
      const records = splitter.takeWhole(window);
      if (records.length > 0) yield records;
      const { available } = window;
      if (splitter.problem !== null) throw await describeJsonDamage(file, window.offset, splitter.problem);
      await window.fill(available + stepBytes);
      if (window.available > available) continue;
      const cut = splitter.describeEnd(window);
      if (cut === null) return;
      throw new DamagedDumpError(
        `${file.path} is cut off at byte ${formatCount(window.offset + available)}, ${cut} (line ${formatCount(await countLines(file, window.offset))})`,
        { code: 'DUMP_CUT_OFF', fix: makeAgain },
      );
    }
  } finally {
    await window.close();
  }
}

/** The same documents in BSON. @throws DamagedDumpError also for invalid JSON */
export async function* readJsonDocuments(file: DumpFile, from: number): DumpRecords {
  const converter = new JsonToBson();
  for await (const records of readJsonRecords(file, from)) {
    const documents: DumpRecord[] = [];
    for (const { bytes, end } of records) {
      try {
        documents.push({ bytes: converter.convert(bytes), end });
      } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        if (documents.length > 0) yield documents;
        throw await describeJsonDamage(file, end - bytes.byteLength + error.offset, error.message);
      }
    }
    yield documents;
  }
}

/** Splits the text into documents. In an array, each must be followed by a comma or by the end. */
class Splitter {
  /** What is wrong; null if nothing is. */
  problem: string | null = null;
  readonly #isArray: boolean;
  #isAfterDocument: boolean;
  #isAfterComma = false;
  #isClosed = false;
  /** The scanner of the document at the start of the window, and how many of its bytes it has scanned. */
  #scanner = new ObjectScanner();
  #scanned = 0;

  constructor(isArray: boolean, isAfterDocument: boolean) {
    this.#isArray = isArray;
    this.#isAfterDocument = isAfterDocument;
  }

  /** Takes all complete documents from the window. */
  takeWhole(window: ByteWindow): DumpRecord[] {
    const { bytes } = window;
    const records: DumpRecord[] = [];
    for (;;) {
      if (this.#scanned === 0 && !this.#findDocument(window)) return records;
      const end = this.#scanner.scan(bytes, window.start + this.#scanned);
      if (end < 0) {
        this.#scanned = window.available;
        if (this.#scanned > maxRecordBytes) this.problem = 'the document that begins here has no end';
        return records;
      }
      records.push({ bytes: bytes.subarray(window.start, end), end: window.offsetOf(end) });
      window.start = end;
      this.#scanned = 0;
      this.#isAfterDocument = true;
      this.#isAfterComma = false;
    }
  }

  /** What is missing at the end of the file; null if nothing is. */
  describeEnd({ available, offset }: ByteWindow): string | null {
    if (available > 0) return `within the document that begins at byte ${formatCount(offset)}`;
    return this.#isArray && !this.#isClosed ? 'before the end of the array' : null;
  }

  /** Moves to the start of the next document. @returns false if it is not in the window */
  #findDocument(window: ByteWindow): boolean {
    for (;;) {
      window.start = skipSpace(window.bytes, window.start);
      const byte = window.bytes[window.start];
      if (byte === undefined) return false;
      const isBetween = this.#isArray && this.#isAfterDocument;
      if (byte === openBrace && !isBetween && !this.#isClosed) return true;
      const isEnd = byte === closeBracket && this.#isArray && !this.#isClosed && !this.#isAfterComma;
      if (!isEnd && !(byte === comma && isBetween)) {
        this.problem = this.#isClosed
          ? 'the array has ended'
          : isBetween
            ? 'a comma must come here'
            : 'a document must begin here, with {';
        return false;
      }
      this.#isClosed = isEnd;
      this.#isAfterDocument = false;
      this.#isAfterComma = !isEnd;
      window.start++;
    }
  }
}

async function readHead(file: DumpFile): Promise<{ begin: number; isArray: boolean }> {
  const bytes = await readStart(file, startBytes);
  const mark = bytes.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
  const at = skipSpace(bytes, mark);
  const isArray = bytes[at] === openBracket;
  return { begin: isArray ? at + 1 : mark, isArray };
}

async function describeJsonDamage(
  file: DumpFile,
  offset: number,
  problem: string,
): Promise<DamagedDumpError> {
  const line = formatCount(await countLines(file, offset));
  return new DamagedDumpError(`${file.path}, line ${line} (byte ${formatCount(offset)}): ${problem}`, {
    code: 'DUMP_CORRUPT',
    fix: makeAgain,
  });
}

/** The line number of the offset. Counted only for messages, to keep reading fast. */
async function countLines(file: DumpFile, offset: number): Promise<number> {
  let lines = 1;
  let position = 0;
  for await (const chunk of readChunks(file, 0)) {
    const part = chunk.subarray(0, offset - position);
    for (let at = part.indexOf(0x0a); at >= 0; at = part.indexOf(0x0a, at + 1)) lines++;
    position += chunk.byteLength;
    if (position >= offset) break;
  }
  return lines;
}
