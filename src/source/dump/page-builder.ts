/** Builds a page from documents of a dump: a BSON array in which the name of each document is its end offset. */

import { arrayHeaderBytes, arrayTerminatorBytes } from '../../bson/array.ts';
import { bsonTypes } from '../../bson/types.ts';
import { offsetPosition } from '../../bson/position.ts';
import { wantedPageBytes } from '../mongo/paging/page-size.ts';
import type { Page } from '../page.ts';
import type { DumpRecord } from './record.ts';

export class PageBuilder {
  readonly #maxCount: number;
  #records: DumpRecord[] = [];
  #bytes = 0;

  constructor(maxCount: number) {
    this.#maxCount = maxCount;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  /** A document larger than a page gets a page of its own. */
  hasRoomFor({ bytes }: DumpRecord): boolean {
    return (
      this.isEmpty ||
      (this.#records.length < this.#maxCount && this.#bytes + bytes.byteLength <= wantedPageBytes)
    );
  }

  add(record: DumpRecord): void {
    this.#records.push(record);
    this.#bytes += record.bytes.byteLength;
  }

  /** Returns the page, which must not be empty, and begins another. */
  take(): Page {
    const records = this.#records;
    const last = records.at(-1);
    if (last === undefined) throw new Error('a page without documents');
    const names = records.map(({ end }) => String(end));
    const elementBytes = names.reduce((sum, name) => sum + name.length + 2, this.#bytes);
    const page = Buffer.allocUnsafe(arrayHeaderBytes + elementBytes + arrayTerminatorBytes);
    let at = page.writeInt32LE(page.byteLength);
    for (const [index, { bytes }] of records.entries()) {
      page[at++] = bsonTypes.object;
      at += page.write(names[index] ?? '', at, 'latin1');
      page[at++] = 0;
      page.set(bytes, at);
      at += bytes.byteLength;
    }
    page[at] = 0;
    this.#records = [];
    this.#bytes = 0;
    return { bytes: page, documentCount: records.length, last: offsetPosition(last.bytes, last.end) };
  }
}
